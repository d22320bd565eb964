"""Hostile input: every answer is a problem document with the right status, and nothing is written."""

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.gateway import Gateway, Options, a_gateway, an_asking_bundle

pytestmark = pytest.mark.anyio
API = "/api/gateway"


@pytest.fixture
async def still(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway in which nothing moves by itself."""
    async with a_gateway(tmp_path, Options(runs=False)) as one:
        await one.install(an_asking_bundle(id="ask"))
        yield one


def rows_in(folder: Path) -> dict[str, int]:
    """How many rows each table of the plane has."""
    with sqlite3.connect(f"file:{folder / 'plane.db'}?mode=ro", uri=True) as plane:
        names = [
            name for (name,) in plane.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        return {name: plane.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


def assert_problem(answer: Any, *statuses: int) -> None:
    """Assert that an answer is a problem with one of these statuses."""
    assert answer.status_code in statuses, f"{answer.status_code} {answer.text[:300]}"
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == answer.status_code
    assert all(
        isinstance(told[name], str) for name in ("type", "title", "detail", "code", "instance")
    )


MEMBERS = json.dumps({"input_data": {f"k{n}": n for n in range(10_000)}, "flow_id": "ask:main"})
BODIES = {
    "too large": (b'{"x": "' + b"y" * 300_000 + b'"}', 413),
    "too deep": (b'{"input_data": ' + b'{"a":' * 200 + b"1" + b"}" * 201, 422),
    "far too deep": (b"[" * 100_000, 422),
    "no JSON": (b"flow_id=ask:main", 422),
    "empty": (b"", 422),
    "half": (b'{"flow_id": "ask:main"', 422),
    "a list": (b"[]", 422),
    "a text": (b'"ask:main"', 422),
    "null": (b"null", 422),
    "wrong types": (b'{"flow_id": {"a": 1}, "input_data": "x"}', 422),
    "a NUL": (b'{"flow_id": "ask:main", "input_data": {"a": "\\u0000"}}', 422),
    "a NUL in a name": (b'{"flow_id": "ask:main", "input_data": {"\\u0000": 1}}', 422),
    "half of a pair": (b'{"flow_id": "ask:main", "input_data": {"a": "\\ud800"}}', 422),
    "no UTF-8": (b'{"flow_id": "ask:main", "input_data": {"a": "\xff"}}', 422),
    "not a number": (b'{"flow_id": "ask:main", "input_data": {"a": NaN}}', 422),
    "a large integer": (b'{"flow_id": "ask:main", "input_data": {"a": 9007199254740993}}', 422),
    "a huge integer": (b'{"flow_id": "ask:main", "input_data": {"a": ' + b"9" * 5_000 + b"}}", 422),
    "ten thousand members": (MEMBERS.encode(), 422),
}
POSTS = [
    "/runs/start",
    "/commands",
    "/runs/ledger/batch",
    "/bundles/ask/deprecate",
    "/session/login",
]


@pytest.mark.parametrize(("content", "status"), BODIES.values(), ids=BODIES.keys())
async def test_a_hostile_body_is_refused_by_every_route_that_reads_one(
    still: Gateway, tmp_path: Path, content: bytes, status: int
) -> None:
    before = rows_in(tmp_path)
    for path in POSTS:
        if not content.strip() and path.endswith("/deprecate"):
            continue  # which takes no body as well
        if content == b"null" and path.endswith("/deprecate"):
            continue
        answer = await still.client.post(
            f"{API}{path}", content=content, headers={"content-type": "application/json"}
        )
        assert_problem(answer, status)
    assert rows_in(tmp_path) == before


IDS = {
    "dots": "%2e%2e", "a path up": "../../etc/passwd", "a path": "a/b", "a backslash": "..\\..\\x",
    "an emoji": "🦊", "ten kilobytes": "x" * 10_000, "a NUL": "a\x00b", "a line end": "a\r\nb", "a quote": "a'b\"c",
    "SQL": "'; DROP TABLE runs; --", "a percent": "%", "not UTF-8": "%ff", "a half": "%ed%a0%80", "a space": " ",
    "right to left": "\u202eabc", "a template": "{run_id}", "a glob": "*", "a drive": "C:x",
}  # fmt: skip
GETS = [
    "/runs/{}", "/runs/{}/input_data", "/runs/{}/history_bundle", "/runs/{}/ledger", "/runs/{}/ledger/stream",
    "/runs/{}/state", "/runs/{}/verify", "/runs/{}/artifacts", "/runs/{}/artifacts/{}",
    "/runs/session_memory_a/artifacts/{}", "/runs/{}/artifacts/{}/content", "/commands/{}", "/bundles/{}",
    "/bundles/ask/flows/{}", "/bundles/{}/flows/main/input_schema",
]  # fmt: skip


@pytest.mark.parametrize("odd", IDS.values(), ids=IDS.keys())
async def test_a_hostile_id_names_nothing(still: Gateway, tmp_path: Path, odd: str) -> None:
    before = rows_in(tmp_path)
    named = odd if odd.startswith("%") and len(odd) > 1 else quote(odd, safe="")
    for path in GETS:
        answer = await still.client.get(f"{API}{path.replace('{}', named)}")
        assert_problem(answer, 400, 404)
    for path in ("/bundles/{}/deprecate", "/bundles/{}/undeprecate"):
        assert_problem(await still.client.post(f"{API}{path.replace('{}', named)}"), 400, 404, 405)
    removed = await still.client.delete(f"{API}/bundles/{named}")
    assert_problem(removed, 400, 404, 405)
    assert rows_in(tmp_path) == before


@pytest.mark.parametrize("odd", IDS.values(), ids=IDS.keys())
async def test_a_hostile_id_in_a_body_names_nothing(
    still: Gateway, tmp_path: Path, odd: str
) -> None:
    before = rows_in(tmp_path)
    starts = [{"flow_id": odd}, {"bundle_id": odd}, {"bundle_id": "ask", "bundle_version": odd}]
    if odd.strip():
        for start in starts:
            assert_problem(await still.post("/runs/start", start), 400, 403, 404, 422)
    command = {"command_id": "c", "run_id": odd, "type": "cancel"}
    assert_problem(await still.post("/commands", command), 404, 422)
    assert_problem(await still.post("/commands", {**command, "type": odd}), 400, 422)
    batch = await still.post("/runs/ledger/batch", {"runs": [{"run_id": odd}]})
    assert batch.status_code == 422 or batch.json() == {"runs": {}}
    assert rows_in(tmp_path) == before


@pytest.mark.parametrize("odd", IDS.values(), ids=IDS.keys())
async def test_a_hostile_session_is_an_owner_of_nothing(still: Gateway, odd: str) -> None:
    answer = await still.client.get(f"{API}/sessions/{quote(odd, safe='')}/artifacts")
    if answer.status_code == 200:
        assert answer.json()["items"] == []
    else:
        assert_problem(answer, 400, 404)


async def test_hostile_headers_are_no_bug(still: Gateway) -> None:
    odd: list[tuple[bytes, bytes]] = [
        (b"authorization", b"Bearer \xff\xfe"), (b"authorization", b"\x00"), (b"content-length", b"banana"),
        (b"origin", b"\xff"), (b"x-request-id", b"\xff" * 500), (b"last-event-id", b"9" * 5_000),
        (b"idempotency-key", b"\xff"), (b"content-type", b"application/json; charset=\xff"),
        (b"authorization", b"Bearer " + b"x" * 20_000), (b"access-control-request-method", b"\xff"),
    ]  # fmt: skip
    for header in odd:
        for method, path in (
            ("GET", "/runs/any/ledger/stream"),
            ("POST", "/runs/start"),
            ("OPTIONS", "/me"),
        ):
            answer = await still.client.request(method, f"{API}{path}", headers=[header])
            assert_problem(answer, 400, 401, 403, 404, 405, 413, 415, 422, 429)


async def test_a_form_of_many_fields_is_refused(still: Gateway, tmp_path: Path) -> None:
    before = rows_in(tmp_path)
    many = {f"f{n}": "x" for n in range(2_000)}
    large = {"overwrite": "x" * 2_000_000}
    for form in (many, large):
        answer = await still.client.post(
            f"{API}/bundles/upload", files={"file": ("a", b"x")}, data=form
        )
        assert_problem(answer, 400, 413, 422)
    assert rows_in(tmp_path) == before
