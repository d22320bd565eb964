"""One effect: called, tried again, given up, left alone under a hold."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from perdure.clock import SystemClock, text_of
from perdure.ids import Key, RunId
from perdure.kernel.model import Advance, Effect, EffectClass, Failed, Ok, Outcome, Status, Unknown
from perdure.kernel.program import Done, Move
from perdure.kernel.values import Json
from perdure.registry.effects import EffectContext, EffectKind
from perdure.runtimes.license import License
from tests.support.builders import an_effect
from tests.support.clock import FakeClock
from tests.support.driving import Driven
from tests.support.running import (
    Acted,
    Gate,
    Running,
    Script,
    Signal,
    Stage,
    a_stage,
    always,
    running,
)
from tests.support.scripted import ScriptedProgram

pytestmark = pytest.mark.anyio

ONCE, READ = EffectClass.ONCE, EffectClass.READ
BUSY = Failed("busy", retryable=True, usage={"tokens_in": 3})


async def dispatched(on_stage: Running, run_id: RunId) -> list[str | None]:
    """Whether the effects of a run that still lie in the outbox are marked."""
    return [one.dispatched_at for one in await on_stage.outbox() if one.run_id == run_id]


async def test_an_effect_that_must_not_happen_twice_is_marked_before_it_is_performed(
    tmp_path: Path,
) -> None:
    """The mark is on disk when the handler is called."""
    marks: list[str | None] = []

    async def handle(_effect: Effect, context: EffectContext) -> Outcome:
        marks.extend(await dispatched(on_stage, context.run.id))
        return Ok(1)

    async with running(tmp_path, a_stage(handle, an_effect(effect_class=ONCE))) as on_stage:
        await on_stage.until(await on_stage.start())
    assert len(marks) == 1 and marks[0] is not None


async def left_behind(folder: Path, effect: Effect, *, mark: bool) -> RunId:
    """A run whose effect a process took, marked or not, and died."""
    async with running(folder, Stage({"run": {}}, serves=False)) as dead:
        driven = Driven(dead.plane, ScriptedProgram({"begin": Move(effects=(effect,))}))
        await driven.bear(program=dead.birth().program)
        await driven.deliver(Advance())
        if mark:
            at = text_of(SystemClock().now())
            key = driven.key("a")
            assert await dead.plane.outbox.dispatch(driven.id, key, holder="me", at=at)
        return driven.id


@pytest.mark.parametrize(
    ("probe", "status"),
    [
        (Acted(Ok("it did")), Status.COMPLETED),
        (Acted(Failed("it did not")), Status.FAILED),
        (Acted(Unknown("who knows")), Status.WAITING),
        (None, Status.WAITING),
    ],
    ids=["happened", "did not", "nobody knows", "no probe"],
)
async def test_an_effect_with_the_mark_is_asked_about_and_never_called_again(
    tmp_path: Path, probe: Acted | None, status: Status
) -> None:
    """By its probe; where that cannot say, or is not there, a person is asked."""
    handler = Acted(Ok("again"))
    run_id = await left_behind(tmp_path, an_effect(effect_class=ONCE), mark=True)
    async with running(
        tmp_path, a_stage(handler, an_effect(effect_class=ONCE), probe=probe)
    ) as on_stage:
        await on_stage.until(run_id, status)
    assert handler.calls == []


async def test_a_probe_that_never_answers_leaves_the_effect_to_a_person(tmp_path: Path) -> None:
    """It has the effect's timeout."""
    run_id = await left_behind(tmp_path, an_effect(effect_class=ONCE), mark=True)
    gate = Gate()
    stage = a_stage(Acted(), an_effect(effect_class=ONCE), probe=gate, timeout_s=0.01)
    async with running(tmp_path, stage) as on_stage:
        await on_stage.until(run_id, Status.WAITING)
    assert gate.entered == 1


async def test_attempts_are_told_and_their_usage_is_summed(tmp_path: Path) -> None:
    """Two tries that may pass, and one that does."""
    handler = Acted(BUSY, BUSY, Ok("done", {"tokens_in": 4}))
    async with running(tmp_path, a_stage(handler)) as on_stage:
        run_id = await on_stage.start()
        ended = await on_stage.until(run_id)
        (record,) = [it for it in await on_stage.ledger(run_id) if it["attempt"] == 3]
    assert ended.usage.tokens_in == 10 and len(handler.calls) == 3
    assert [it["outcome"] for it in record["detail"]["attempts"]] == ["failed", "failed", "ok"]
    assert [context.attempt for _, context in handler.calls] == [1, 2, 3]


async def test_a_once_effect_that_surely_did_not_happen_is_tried_again(tmp_path: Path) -> None:
    """Its mark is taken back."""
    handler = Acted(BUSY, Ok(1))
    async with running(tmp_path, a_stage(handler, an_effect(effect_class=ONCE))) as on_stage:
        await on_stage.until(await on_stage.start())
    assert len(handler.calls) == 2


@pytest.mark.parametrize(
    ("effect_class", "status"), [(READ, Status.FAILED), (ONCE, Status.WAITING)], ids=str
)
async def test_a_timeout_reaches_the_handler(
    tmp_path: Path, effect_class: EffectClass, status: Status
) -> None:
    """Its `finally` runs; a read is tried again, a once goes to a person."""
    gate = Gate()
    effect = an_effect(effect_class=effect_class)
    stage = a_stage(gate, effect, timeout_s=0.01, attempts_max=2)
    async with running(tmp_path, stage) as on_stage:
        await on_stage.until(await on_stage.start(), status)
    tries = 2 if effect_class is READ else 1
    assert gate.left == ["a"] * tries and gate.inside == 0


def raises(error: Callable[[], BaseException]) -> Any:
    """A handler with a bug."""

    async def handle(_effect: Effect, _context: EffectContext) -> Outcome:
        raise error()

    return handle


async def forgets(_effect: Effect, _context: EffectContext) -> Any:
    """A handler that comes to nothing."""


async def answers_a_set(_effect: Effect, _context: EffectContext) -> Outcome:
    """A handler whose failure holds what is no JSON."""
    return Failed("x", result={1})


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (raises(LookupError), "handler_bug: the handler raised LookupError"),
        (raises(TimeoutError), "handler_bug: the handler raised TimeoutError"),
        (raises(asyncio.CancelledError), "handler_bug: the handler raised HandlerEnded"),
        (forgets, "handler_bug: the handler raised TypeError"),
        (answers_a_set, "not_json: the result holds a set"),
        (Acted(Ok({1})), "not_json: the result holds a set"),
    ],
    ids=["raises", "its own timeout", "cancels itself", "no outcome", "no JSON", "a set"],
)
async def test_a_handler_with_a_bug_fails_its_effect(
    tmp_path: Path, handler: Any, code: str
) -> None:
    """The program hears of it as of any failure."""
    async with running(tmp_path, a_stage(handler)) as on_stage:
        run_id = await on_stage.start()
        await on_stage.until(run_id, Status.FAILED)
        errors = [it["error"] for it in await on_stage.ledger(run_id) if it["error"]]
    assert errors[0] == code


async def test_a_bug_in_what_must_not_happen_twice_is_a_persons_to_judge(tmp_path: Path) -> None:
    """Nobody knows how far the handler came; the person says that it happened."""
    stage = a_stage(raises(LookupError), an_effect(effect_class=ONCE))
    async with running(tmp_path, stage) as on_stage:
        run_id = await on_stage.start()
        asked = await on_stage.until(run_id, Status.WAITING)
        answer = {"resolution": "happened", "result": 1}
        await on_stage.send(run_id, "resume", Key(asked.waiting["wait_key"]), answer)
        await on_stage.until(run_id)


async def test_an_unknown_kind_is_not_configured(tmp_path: Path) -> None:
    """It is an outcome, and the program's to handle."""
    effect = replace(an_effect(), kind="nobody")
    async with running(tmp_path, a_stage(Acted(), effect)) as on_stage:
        run_id = await on_stage.start()
        await on_stage.until(run_id, Status.FAILED)
        errors = [it["error"] for it in await on_stage.ledger(run_id) if it["error"]]
    assert errors[0].startswith("not_configured:")


async def test_nothing_is_performed_under_a_hold_until_the_release(tmp_path: Path) -> None:
    """An effect that was asked for before the hold waits for it to end, its attempts kept."""
    gate, handler = Gate(), Acted(BUSY, Ok(1))
    script: Script = {
        "begin": Move(effects=(replace(an_effect(), kind="slow"),)),
        "a": Move(effects=(an_effect("b"),)),
        "b": Move(end=Done("done")),
    }
    kinds = {"slow": always(gate), "echo": always(handler, backoff_s=0.5)}
    stage = Stage({"run": script, "full": script}, kinds, {"effects_at_once": 1})
    async with running(tmp_path, stage) as on_stage:
        first = await on_stage.start()
        await gate.until_inside(1)
        held = await on_stage.start()  # waits for room
        await on_stage.until_so(held, lambda header: header.seq == 1)
        await on_stage.send(held, "hold")
        await on_stage.until_so(held, lambda header: header.held is not None)
        gate.open()
        await on_stage.until(first)
        assert gate.entered == 1
        await on_stage.send(held, "release")
        await on_stage.until(held)
        assert gate.entered == 2


async def test_a_retry_outlives_a_hold_with_its_attempts(tmp_path: Path) -> None:
    """The release takes it up where it was; it does not begin anew."""
    handler, clock = Acted(BUSY, Ok(1)), FakeClock()
    stage = a_stage(handler, backoff_s=60, config={"poll_s": 0.01})
    stage.clock = clock
    async with running(tmp_path, stage) as on_stage:
        run_id = await on_stage.start()
        await handler.until(1)
        await on_stage.rest()
        await on_stage.send(run_id, "hold")
        await on_stage.until_so(run_id, lambda header: header.held is not None)
        await on_stage.send(run_id, "release")
        await on_stage.until_so(run_id, lambda header: header.held is None)
        clock.advance(120)  # with its spread, the wait before another try is no longer
        await on_stage.until(run_id)
    assert [context.attempt for _, context in handler.calls] == [1, 2]


@pytest.mark.parametrize("effect_class", [READ, ONCE])
async def test_what_has_no_license_is_left_unmarked_until_it_has_one(
    tmp_path: Path, effect_class: EffectClass
) -> None:
    handler, asked = Acted(), Signal()
    words = [False, False, True]  # the control store changes its word

    async def word() -> bool:
        assert handler.calls == []
        asked.tell()
        return words.pop(0)

    stage = a_stage(handler, an_effect(effect_class=effect_class))
    async with running(tmp_path, stage) as on_stage:
        on_stage.runtime.license = License(word, on_stage.runtime.clock)
        run_id = await on_stage.start()
        await asked.until(lambda: len(words) == 1)
        assert await dispatched(on_stage, run_id) == [None], "it did not begin"
        await on_stage.until(run_id)
    assert (words, len(handler.calls)) == ([], 1)


async def test_effects_at_once_have_a_bound_on_both_sides(tmp_path: Path) -> None:
    """As many as it says are inside, and never one more."""
    gate = Gate()
    async with running(tmp_path, a_stage(gate, config={"effects_at_once": 3})) as on_stage:
        runs = [await on_stage.start() for _ in range(7)]
        await gate.until_inside(3)
        for run_id in runs:
            await on_stage.until_so(run_id, lambda header: header.seq == 1)
        assert gate.most == 3
        gate.open()
        for run_id in runs:
            await on_stage.until(run_id)
    assert gate.most == 3 and gate.entered == 7


async def test_what_is_cancelled_while_it_waits_for_room_is_never_begun(tmp_path: Path) -> None:
    """Not even the first line of its handler runs."""
    gate = Gate()
    async with running(tmp_path, a_stage(gate, config={"effects_at_once": 1})) as on_stage:
        first = await on_stage.start()
        await gate.until_inside(1)
        second = await on_stage.start()
        await on_stage.until_so(second, lambda header: header.seq == 1)
        await on_stage.send(second, "cancel")
        await on_stage.until(second, Status.CANCELLED)
        gate.open()
        await on_stage.until(first)
        await on_stage.rest()
    assert gate.entered == 1


async def test_a_slow_effect_delays_nobody(tmp_path: Path) -> None:
    """Other runs come and go meanwhile."""
    gate = Gate()
    stage = a_stage(gate)
    stage.scripts["quick"] = {
        "begin": Move(effects=(replace(an_effect(), kind="quick"),)),
        "a": Move(end=Done("quick")),
    }
    stage.effects["quick"] = EffectKind(Acted())
    async with running(tmp_path, stage) as on_stage:
        slow = await on_stage.start()
        await gate.until_inside(1)
        for _ in range(5):
            await on_stage.until(await on_stage.start("quick"))
        gate.open()
        await on_stage.until(slow)


async def test_two_branches_have_their_effects_in_flight_together(tmp_path: Path) -> None:
    """Neither waits for the other."""
    gate = Gate()
    both: Json = []
    script: Script = {
        "begin": Move(effects=(an_effect("a"), an_effect("b"))),
        "a": lambda cells, _event, _moment: Move(
            writes={"a": 1}, end=Done(both) if "b" in cells else None
        ),
        "b": lambda cells, _event, _moment: Move(
            writes={"b": 1}, end=Done(both) if "a" in cells else None
        ),
    }
    async with running(tmp_path, Stage({"run": script}, {"echo": always(gate)})) as on_stage:
        run_id = await on_stage.start()
        await gate.until_inside(2)
        gate.open()
        await on_stage.until(run_id)
