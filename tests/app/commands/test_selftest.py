"""A gateway that is at work shows that nobody is told of another's things, and is as before afterwards."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.app.commands.selftest import page
from tests.app.conftest import Perdure
from tests.support.scripted_gateway import ScriptedGateway
from tests.support.served import Served

FEW = "/me/tokens"
ASKERS = ("bob", "mallory", "nobody")


@pytest.fixture
def many(tmp_path: Path) -> Iterator[tuple[Served, str]]:
    """A gateway in user mode, and the token of its first admin."""
    settings = {"PERDURE_USER_AUTH": "1", "PERDURE_EMBEDDED_MODEL": "0"}
    with Served(tmp_path / "data", settings=settings) as served:
        yield served, (served.data_dir / "auth" / "bootstrap-admin-token").read_text().strip()


def users_in(served: Served) -> list[str]:
    """Who is in the control store, in whichever tenant, and which runtimes are kept."""
    with sqlite3.connect(served.data_dir / "control.db") as control:
        rows = control.execute("SELECT user_id FROM users UNION ALL SELECT runtime FROM runtimes")
        return [name for (name,) in rows]


def test_isolation_is_shown_by_a_gateway_at_work(
    perdure: Perdure, many: tuple[Served, str]
) -> None:
    served, token = many
    named = ("--url", served.url, "--token", token, "--only", FEW)
    ran = perdure("selftest", "isolation", *named, "--json")
    assert ran.code == 0, ran.out + ran.err
    told = json.loads(ran.out)
    assert told["ok"] is True
    assert (told["findings"], told["left_out"], told["left_behind"]) == ([], [], [])
    assert told["compared"]["DELETE /api/gateway/me/tokens/{token_id}"] == len(ASKERS)
    assert users_in(served) == ["admin", "admin"]


def test_it_ends_with_a_line_for_each_route_and_what_it_comes_to() -> None:
    text = page({
        "findings": [], "compared": {"GET /a": 3, "GET /b": 12}, "pairs": 15, "views": 2, "left_out": [],
        "left_behind": [],
    }).plain  # fmt: skip
    assert text.splitlines() == [
        "ok       3  GET /a",
        "ok      12  GET /b",
        "Nobody is told of another's things: 15 pairs of answers of 2 routes, 2 views.",
    ]


def test_what_is_found_is_told_and_ends_with_1() -> None:
    route = "GET /api/gateway/runs/{run_id}"
    found = {"route": route, "who": "selftest-bob-x", "what": "200 instead of 404"}
    text = page({
        "findings": [found], "compared": {route: 3}, "pairs": 3, "views": 1, "left_out": ["other tenants"],
        "left_behind": ["user default/x: it is gone"],
    }).plain  # fmt: skip
    lines = text.splitlines()
    assert lines[0] == f"told     3  {route}"
    assert "  selftest-bob-x: 200 instead of 404" in lines
    assert "left out: other tenants" in lines
    assert "left behind: user default/x: it is gone" in lines
    assert lines[-1].startswith("1 findings: ")


def test_a_gateway_without_users_is_asked_for_nothing_more(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    gateway.on("GET", "/me", (200, {"auth": {"user_auth_enabled": False}, "principal": {}}))
    ran = perdure("selftest", "isolation")
    assert ran.code == 2
    assert "PERDURE_USER_AUTH=1" in ran.err
