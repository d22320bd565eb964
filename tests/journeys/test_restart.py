"""What a gateway has taken in outlives it: waits, times, events, holds, commands and keys."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from perdure.clock import SystemClock, text_of, time_of
from tests.journeys.account import answers_in, effects_in, told
from tests.journeys.journey import Journey
from tests.journeys.load import GROWING
from tests.journeys.promises import until_quiet
from tests.journeys.wire import API, Wire

ANSWER = {"payload": {"response": "go on"}}
RESULTS = {"out/12.0": "answered", "out/13.0": "ok", "var/at": 14, "var/left": 1, "var/turn": 0}


async def until(wire: Wire, run_id: str, state: Callable[[Any], bool]) -> Any:
    """Wait until the summary of a run is as it should be; the summary."""
    async with asyncio.timeout(60):
        while not state(summary := await wire.summary(run_id)):
            await asyncio.sleep(0.02)
    return summary


async def until_blocked(wire: Wire, run_id: str, on: str) -> Any:
    """Wait until a run says that it waits for something."""
    return await until(wire, run_id, lambda it: it["blocked_on"] and it["blocked_on"]["type"] == on)


def ended_or_blocked(summary: Any, on: str) -> bool:
    """Whether a run has failed, or says that it waits for something."""
    blocked = summary["blocked_on"]
    return summary["status"] == "failed" or (blocked is not None and blocked["type"] == on)


async def until_completed(wire: Wire, run_id: str) -> list[Any]:
    """Wait until a run is completed; its records."""
    await until(wire, run_id, lambda it: it["status"] == "completed")
    return told(await wire.ledger(run_id))


def accepted(answer: httpx2.Response) -> Any:
    """What a command was answered that was taken in."""
    assert answer.status_code == 200, answer.text
    return answer.json()


def done_once(journey: Journey, run_id: str, records: list[Any]) -> bool:
    """Whether each deed of a run was done, and done once."""
    counts = journey.counter.counts()
    return all(counts[it.deed].calls == 1 for it in effects_in(run_id, records).values())


@pytest.mark.anyio
async def test_a_waiting_run_is_the_same_after_a_crash(journey: Journey) -> None:
    await journey.gateway.start()
    run_id = await journey.wire.start("w", ["idempotent", "wait", "once"])
    before = await until_blocked(journey.wire, run_id, "question")
    ledger = await journey.wire.ledger(run_id)
    await journey.gateway.restart()
    assert await journey.wire.summary(run_id) == before
    assert await journey.wire.ledger(run_id) == ledger
    accepted(await journey.wire.command("c", run_id, "resume", ANSWER))
    assert done_once(journey, run_id, await until_completed(journey.wire, run_id))


@pytest.mark.anyio
async def test_the_cells_after_any_record_are_the_same_after_a_crash(journey: Journey) -> None:
    wire = journey.wire
    await journey.gateway.start()
    run_id = await wire.start("s", [*GROWING, "wait", "read", "wait"])
    seqs = (await until_blocked(wire, run_id, "question"))["ledger_len"] + 1
    before = [await wire.get(f"/runs/{run_id}/state", seq=seq) for seq in range(seqs)]
    assert len(before[-1]["cells"]["var/grown10"]) == 30_000
    await journey.gateway.restart()
    assert [await wire.get(f"/runs/{run_id}/state", seq=seq) for seq in range(seqs)] == before
    accepted(await wire.command("c", run_id, "resume", ANSWER))
    await until(wire, run_id, lambda it: it["waiting"] and it["waiting"]["wait_key"] == "word-14:0")
    last = await wire.get(f"/runs/{run_id}/state")
    assert last["cells"].items() >= {**before[-1]["cells"], **RESULTS}.items()


@pytest.mark.anyio
async def test_a_time_comes_due_after_a_crash_and_never_early(journey: Journey) -> None:
    await journey.gateway.start()
    later = await journey.wire.start("later", ["timer:1", "idempotent"])
    soon = await journey.wire.start("soon", ["timer:0.01", "idempotent"])
    await until(journey.wire, later, lambda it: it["ledger_len"] > 0)  # its wait is on record
    await journey.gateway.restart()
    for key, run_id in (("later", later), ("soon", soon)):
        records = await until_completed(journey.wire, run_id)
        due = time_of(records[0]["result"]["wait"]["until"])
        assert time_of(records[1]["started_at"]) >= due
        assert journey.counter.counts()[f"{key}.1.0"].effects == 1


@pytest.mark.anyio
async def test_a_deadline_ends_the_run_after_a_crash_and_never_early(journey: Journey) -> None:
    """Also one that passed while nobody was there, of a run that is paused."""
    wire = journey.wire
    await journey.gateway.start()
    deadline = text_of(SystemClock().now() + timedelta(seconds=2))
    runs = [await wire.start(key, ["wait"], deadline=deadline) for key in ("free", "held")]
    for run_id in runs:
        await until(wire, run_id, lambda it: ended_or_blocked(it, "question"))
    paused = await wire.command("p", runs[1], "pause", {})
    assert paused.status_code in (200, 409), paused.text  # where the machine is slow, it has ended
    await until(wire, runs[1], lambda it: ended_or_blocked(it, "hold"))
    await journey.gateway.restart()
    for run_id in runs:
        ended = await until(wire, run_id, lambda it: it["status"] == "failed")
        assert ended["error"] == f"deadline_passed: the deadline was {deadline}"
        assert ended["updated_at"] >= deadline


@pytest.mark.anyio
async def test_an_event_is_kept_over_a_crash_and_given_once(journey: Journey) -> None:
    wire = journey.wire
    await journey.gateway.start()
    first = await wire.start("e1", ["wait", "event:go", "once"], session_id="s")
    await until_blocked(wire, first, "question")
    event = {"name": "go", "session_id": "s", "payload": {"n": 1}}
    accepted(await wire.command("e", first, "emit_event", event))
    await journey.gateway.restart()
    again = accepted(await wire.command("e", first, "emit_event", event))
    assert again["duplicate"]
    accepted(await wire.command("c", first, "resume", ANSWER))
    records = await until_completed(wire, first)
    assert [answer["payload"] for key, answer in answers_in(records) if key.startswith("evt:")] == [
        {"n": 1}
    ]
    second = await wire.start("e2", ["event:go"], session_id="s")
    await until_quiet(wire, "event")
    await until_blocked(wire, second, "event")


@pytest.mark.anyio
async def test_a_held_run_stays_held_over_a_crash(journey: Journey) -> None:
    wire = journey.wire
    await journey.gateway.start()
    run_id = await wire.start("h", ["wait", "once"])
    await until_blocked(wire, run_id, "question")
    accepted(await wire.command("p", run_id, "pause", {"reason": "lunch"}))
    before = await until(wire, run_id, lambda it: it["paused"])
    await journey.gateway.restart()
    assert await wire.summary(run_id) == before
    accepted(await wire.command("c", run_id, "resume", {"wait_key": "word-0:0", **ANSWER}))
    await until(wire, run_id, lambda it: it["ledger_len"] == before["ledger_len"] + 1)
    await journey.gateway.restart()
    assert (await wire.summary(run_id))["pause_reason"] == "lunch"
    accepted(await wire.command("u", run_id, "resume", {}))
    assert done_once(journey, run_id, await until_completed(wire, run_id))


@pytest.mark.anyio
async def test_what_was_queued_when_nobody_ran_it_is_done_by_the_next(journey: Journey) -> None:
    wire = journey.wire
    await journey.gateway.start()
    waiting = await wire.start("w", ["wait", "idempotent"])
    await until_blocked(wire, waiting, "question")
    await journey.gateway.kill()
    if journey.gateway.postgres is None:  # who serves a file also runs it: the kill comes at once
        await journey.gateway.start()
    else:
        await journey.gateway.start("--no-runner")
    born = await wire.start("b", ["idempotent"])
    accepted(await wire.command("c", waiting, "resume", ANSWER))
    if journey.gateway.postgres is not None:
        assert (await wire.get("/commands/c"))["state"] == "pending"
        assert (await wire.summary(born))["blocked_on"]["type"] == "runner"
    await journey.gateway.restart()
    for run_id in (waiting, born):
        await until_completed(wire, run_id)
    assert {name: deed.effects for name, deed in journey.counter.counts().items()} == {
        "w.1.0": 1,
        "b.0.0": 1,
    }
    assert (await wire.get("/commands/c"))["state"] == "applied"


@pytest.mark.anyio
async def test_a_command_is_known_again_after_a_crash(journey: Journey) -> None:
    wire = journey.wire
    await journey.gateway.start()
    run_id = await wire.start("w", ["wait", "wait"])
    await until_blocked(wire, run_id, "question")
    first = accepted(await wire.command("c", run_id, "resume", ANSWER))
    await until(wire, run_id, lambda it: it["waiting"] and it["waiting"]["wait_key"] == "word-1:0")
    await journey.gateway.restart()
    again = accepted(await wire.command("c", run_id, "resume", ANSWER))
    assert (again["accepted"], again["duplicate"], again["seq"]) == (False, True, first["seq"])
    other = {"payload": {"response": "something else"}}
    assert (await wire.command("c", run_id, "resume", other)).status_code == 409
    assert (await wire.summary(run_id))["waiting"]["wait_key"] == "word-1:0"


@pytest.mark.anyio
async def test_a_start_is_answered_as_before_after_a_crash(journey: Journey) -> None:
    wire = journey.wire
    await journey.gateway.start()
    headers = {"idempotency-key": "k"}
    body = {"bundle_id": "ask-first", "input_data": {}}
    first = await wire.ask("POST", f"{API}/runs/start", json=body, headers=headers)
    await journey.gateway.restart()
    again = await wire.ask("POST", f"{API}/runs/start", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200), (first.text, again.text)
    assert first.json() == again.json()
    other = {**body, "input_data": {"prompt": "another"}}
    refused = await wire.ask("POST", f"{API}/runs/start", json=other, headers=headers)
    assert refused.status_code == 422
    assert len(await wire.runs(root_only=True)) == 1
