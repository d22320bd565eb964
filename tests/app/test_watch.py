"""Watching shows a run and its children in order, and ends when the run does or when a person is needed."""

import io
from collections.abc import AsyncGenerator

import pytest

from perdure.app.client import Gateway
from perdure.app.render import Screen, console
from perdure.app.watch import Ask, Ending, Watch
from perdure.errors import RunNotFound
from perdure.kernel.values import Json
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
CHILD: dict[str, Json] = {"type": "start_subworkflow", "payload": {}, "result_key": None}
ASKS = record(status="waiting", node_id="ask", result={"wait": question()})


@pytest.fixture
async def client(gateway: ScriptedGateway) -> AsyncGenerator[Gateway]:
    async with Gateway(gateway.url, "agw_test") as made:
        yield made


async def watched(client: Gateway, ask: Ask | None = None) -> tuple[Ending, list[str]]:
    paper = io.StringIO()
    on = console(file=paper)
    ending = await Watch(client, Screen(on, on), ask).until_end("r1")
    return ending, paper.getvalue().splitlines()


async def yes(run: Json, wait: Json) -> Json:
    return {"response": "yes"}


async def test_a_run_is_shown_to_its_end(client: Gateway, gateway: ScriptedGateway) -> None:
    gateway.run(summary("r1"))
    frames = [
        step(1, record(status="started")),
        delta(0, "Paris."),
        step(2, record(effect=None)),
        done(2),
    ]
    gateway.ledger("r1", frames)
    ending, lines = await watched(client)
    assert ending.waits is None
    assert ending.run["status"] == "completed"
    assert [line.split()[0] for line in lines] == ["1", "│", "2"]


async def test_a_child_s_steps_stand_before_the_end_of_the_step_that_waits_for_it(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.run(summary("r1"))
    waiting = record(status="waiting", effect=CHILD, result={"wait": child_wait("r2")})
    gateway.ledger("r1", [step(1, waiting), step(2, record(effect=CHILD)), done(2)])
    gateway.ledger(
        "r2", [step(1, record("r2", node_id="inner", step_id="s9")), done(1, run_id="r2")]
    )
    _, lines = await watched(client)
    assert [line.split()[1] for line in lines] == ["think", "inner", "think"]
    assert lines[1].startswith(" " * 6 + "1")
    assert "deltas" not in gateway.asked("GET", "/runs/r2/ledger/stream")[0].path


async def test_a_child_that_cannot_be_read_spoils_nothing(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.run(summary("r1"))
    waiting = record(status="waiting", effect=CHILD, result={"wait": child_wait("r2")})
    gateway.ledger("r1", [step(1, waiting), step(2, record(effect=CHILD)), done(2)])
    ending, lines = await watched(client)
    assert ending.run["status"] == "completed"
    assert len(lines) == 2


async def test_watching_ends_where_nobody_can_answer(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.run(waits("r1", question()))
    gateway.ledger("r1", [step(1, ASKS)])
    ending, _ = await watched(client)
    assert ending.waits["run_id"] == "r1"


async def test_the_child_that_waits_is_the_one_to_answer(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.run(waits("r1", child_wait("r2")))
    gateway.run(waits("r2", question("r2")))
    waiting = record(status="waiting", effect=CHILD, result={"wait": child_wait("r2")})
    gateway.ledger("r1", [step(1, waiting)], [])
    asks = record("r2", status="waiting", step_id="s9", result={"wait": question("r2")})
    gateway.ledger("r2", [step(1, asks)], [])
    ending, _ = await watched(client)
    assert ending.waits["run_id"] == "r2"


async def test_an_answer_goes_to_the_wait_that_was_asked(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.run(waits("r1", question()), summary("r1")).takes_commands()
    gateway.ledger("r1", [step(1, ASKS), step(2, record(effect=None)), done(2)])
    ending, _ = await watched(client, yes)
    assert ending.waits is None
    [sent] = gateway.bodies("/commands")
    assert sent["payload"] == {"wait_key": "user:r1:ask", "payload": {"response": "yes"}}


async def test_a_wait_that_was_answered_before_is_not_asked_again(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.run(summary("r1"))
    gateway.ledger("r1", [step(1, ASKS), step(2, record(effect=None)), done(2)])
    ending, _ = await watched(client, yes)
    assert ending.waits is None
    assert gateway.bodies("/commands") == []


async def test_an_answer_that_comes_too_late_is_told(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.run(waits("r1", question()), summary("r1"))
    gateway.on("POST", "/commands", problem(409, "wait_mismatch", "It does not wait for this."))
    gateway.ledger("r1", [step(1, ASKS), step(2, record(effect=None)), done(2)])
    _, lines = await watched(client, yes)
    assert "Really?: It does not wait for this." in lines


async def test_an_unknown_run_is_an_error(client: Gateway, gateway: ScriptedGateway) -> None:
    gateway.on("GET", "/runs/r1/ledger/stream", problem(404, "run_not_found", "No."))
    with pytest.raises(RunNotFound):
        await watched(client)
