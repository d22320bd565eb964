"""Serving refuses what cannot be, says where it is, and shows a newcomer one run and what to try next."""

import io
import socket
from pathlib import Path
from typing import Any

import pytest

from perdure.app.commands.serving import KEPT_COUNTED, have_model, tell_kept, tour
from perdure.app.render import Screen, console
from perdure.app.settings import read_settings
from perdure.features.models.embedded import install
from tests.app.conftest import Perdure
from tests.support.scripted_gateway import (
    ScriptedGateway,
    child_wait,
    delta,
    done,
    problem,
    question,
    record,
    step,
    summary,
    waits,
)

pytestmark = pytest.mark.anyio


def on_paper() -> tuple[Screen, io.StringIO]:
    paper = io.StringIO()
    made = console(file=paper)
    return Screen(made, made), paper


async def toured(gateway: ScriptedGateway, **given: Any) -> str:
    screen, paper = on_paper()
    await tour(
        gateway.url, settings=read_settings(**given), token="agw_test", prompt="Where?", on=screen
    )
    return paper.getvalue()


@pytest.fixture
def started(gateway: ScriptedGateway) -> ScriptedGateway:
    """A gateway without earlier runs, on which the run r1 completes."""
    gateway.on("GET", "/runs", (200, {"items": [], "next_cursor": None}))
    gateway.on("POST", "/runs/start", (200, {"run_id": "r1"}))
    gateway.run(summary("r1", flow_warnings=["#FALLBACK a toy"]))
    return gateway.ledger("r1", [step(1, record()), delta(0, "Paris."), step(2, record()), done(2)])


@pytest.mark.parametrize("words", [["serve", "--no-runner"], ["runner"]])
def test_api_and_runner_apart_need_postgres(words: list[str], perdure: Perdure) -> None:
    ran = perdure(*words)
    assert ran.code == 2
    assert "On SQLite one process holds the data" in ran.err


@pytest.mark.parametrize("command", ["serve", "quickstart"])
def test_a_port_that_is_taken_is_told_at_once(command: str, perdure: Perdure) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ran = perdure(command, "--port", str(port))
    assert ran.code == 1
    assert f"127.0.0.1:{port} is taken: a gateway runs already" in ran.err
    assert f"PERDURE_PORT={port + 1}" in ran.err


def test_an_address_that_is_not_here_is_told(perdure: Perdure) -> None:
    ran = perdure("serve", "--host", "192.0.2.1")
    assert ran.code == 1
    assert "192.0.2.1:8080 cannot be listened on" in ran.err


async def test_a_newcomer_sees_one_run_and_what_to_try_next(started: ScriptedGateway) -> None:
    told = await toured(started)
    parts = [
        f"Perdure serves at {started.url}",
        "basic-agent is asked: Where?",
        "│ Paris.",
        "Answer\nParis.\n#FALLBACK a toy\n",
        "run ask-first",
        "ledger r1",
        f"URL    {started.url}",
        "Token  agw_test",
        "Ctrl-C stops it",
    ]
    places = [told.index(part) for part in parts]
    assert places == sorted(places)
    assert "kept" not in told
    [body] = started.bodies("/runs/start")
    assert body == {"bundle_id": "basic-agent", "input_data": {"prompt": "Where?"}}


async def test_earlier_runs_are_counted_and_the_latest_listed(started: ScriptedGateway) -> None:
    rows = [summary(f"old-{n}") for n in range(7)]
    started.on("GET", "/runs", (200, {"items": rows, "next_cursor": None}))
    told = await toured(started)
    assert "7 earlier runs are kept; the latest:" in told
    assert "old-4" in told
    assert "old-5" not in told


async def test_runs_that_the_last_stop_found_under_way_are_told_of(
    started: ScriptedGateway,
) -> None:
    by_child = waits("old-2", child_wait("child"))
    by_child["blocked_on"]["type"] = "child"
    rows = [summary("old-1", status="running"), by_child, waits("old-3", question())]
    started.on("GET", "/runs", (200, {"items": rows, "next_cursor": None}))
    for run_id in ("old-1", "old-2"):
        started.run(summary(run_id)).ledger(run_id, [step(1, record(run_id)), done(1, run_id)])
    told = (await toured(started)).partition("Ctrl-C stops it.")[2]
    assert "Run old-1, which was under way at the last stop, is completed." in told
    assert "Run old-2, which was under way at the last stop, is completed." in told
    assert "Run old-3, which" not in told


async def test_a_first_run_that_cannot_start_is_told_and_serving_goes_on(
    started: ScriptedGateway,
) -> None:
    started.on("POST", "/runs/start", problem(404, "bundle_not_found", "There is no bundle."))
    told = await toured(started)
    assert "There is no bundle." in told
    assert "Ctrl-C stops it" in told


async def test_the_next_command_names_a_gateway_that_is_not_where_it_is_looked_for(
    started: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"--url {started.url} --token agw_test run ask-first" in await toured(started)
    monkeypatch.delenv("PERDURE_DATA_DIR")
    assert "--url" not in await toured(started)


def test_very_many_runs_are_not_counted_to_the_end() -> None:
    screen, paper = on_paper()
    tell_kept(screen, [summary()] * KEPT_COUNTED)
    assert "1000 or more earlier runs are kept" in paper.getvalue()


def test_the_model_is_fetched_where_it_is_not_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def fetch(folder: Path, *, progress: object) -> Path:
        asked.append(folder)
        return folder

    monkeypatch.setattr(install, "install", fetch)
    settings = read_settings(data_dir=tmp_path)
    have_model(settings)
    assert asked == [tmp_path / "models"]
    monkeypatch.setattr(install, "model_at_hand", lambda folder: folder / "model")
    have_model(settings)
    assert len(asked) == 1
