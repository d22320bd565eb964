"""What the effects of flows do, on an inbox that takes notes."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from perdure.features.flows import FEATURE
from perdure.features.flows.effects import KEPT, answer_user, emit_event
from perdure.ids import Key, RunId, StepId
from perdure.kernel.model import Effect, Ok, Outcome
from perdure.kernel.values import Json
from perdure.registry.effects import EffectContext
from perdure.stores.inbox import Delivered, Emission
from tests.support.builders import a_birth
from tests.support.clock import START, FakeClock

AT = "2026-01-01T00:00:00.000000+00:00"


@dataclass
class Inbox:
    """Reaches the runs it is told to."""

    reached: tuple[str, ...] = ()
    emitted: list[tuple[Emission, str]] = field(default_factory=list)

    async def emit(self, emission: Emission, *, at: str) -> Delivered:
        """Note it down."""
        self.emitted.append((emission, at))
        return Delivered(tuple(RunId(run_id) for run_id in self.reached))


@dataclass
class Plane:
    """A plane with nothing but an inbox."""

    inbox: Inbox


def _context(inbox: Inbox, call: int = 0) -> EffectContext:
    birth = a_birth()
    return EffectContext(
        run=birth, step_id=StepId("s"), key=Key(f"{birth.id}:7:{call}"), attempt=1, clock=FakeClock(),
        http=cast(Any, None), plane=cast(Any, Plane(inbox)), publish=lambda delta: None,
    )  # fmt: skip


async def _emit(payload: Json, inbox: Inbox, call: int = 0) -> Outcome:
    effect = Effect(
        "emit_event",
        {"payload": {"n": 1}, "scope": "session", "name": "go", **payload},
        "0",
        "node",
    )
    return await emit_event(effect, _context(inbox, call))


RUN = a_birth()
ADDRESSES: dict[str, tuple[dict[str, Json], str]] = {
    "of the session": ({"scope": "session"}, "evt:session:session:"),
    "of another session": ({"scope": "session", "session_id": "theirs"}, "evt:session:theirs:"),
    "of the flow": ({"scope": "workflow"}, f"evt:workflow:{RUN.workflow_id}:"),
    "of the run": ({"scope": "run", "session_id": "theirs"}, f"evt:run:{RUN.id}:"),
    "of all": ({"scope": "global"}, "evt:global:global:"),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("payload", "address"), ADDRESSES.values(), ids=ADDRESSES)
async def test_an_event_goes_to_its_name_and_to_who_listens_to_any(
    payload: dict[str, Json], address: str
) -> None:
    inbox = Inbox()
    await _emit(payload, inbox)
    assert inbox.emitted[0][0].addresses == (f"{address}go", f"{address}*")


@pytest.mark.anyio
async def test_an_event_tells_what_when_and_from_where() -> None:
    inbox = Inbox()
    await _emit({}, inbox)
    emission, at = inbox.emitted[0]
    assert emission.body == {
        "event_id": f"{RUN.id}:node:7", "name": "go", "scope": "session", "session_id": "session", "payload": {"n": 1},
        "emitted_at": AT, "emitter": {"run_id": RUN.id, "workflow_id": RUN.workflow_id, "node_id": "node"},
    }  # fmt: skip
    assert (emission.id, at) == (f"{RUN.id}:node:7", AT)
    assert emission.keep_until == (START + KEPT).isoformat(timespec="microseconds")


@pytest.mark.anyio
async def test_a_repeat_has_the_same_id_and_another_call_another() -> None:
    inbox = Inbox()
    for call in (0, 0, 1):
        await _emit({}, inbox, call)
    first, again, other = (emission.id for emission, _ in inbox.emitted)
    assert first == again != other


@pytest.mark.anyio
async def test_the_result_names_who_was_reached() -> None:
    outcome = await _emit({}, Inbox(("a", "b")))
    assert outcome == Ok(
        {
            "wait_key": "evt:session:session:go", "name": "go", "scope": "session", "delivered": 2, "delivered_to": ["a", "b"],
            "resumed": [{"run_id": "a", "status": "running"}, {"run_id": "b", "status": "running"}],
        }
    )  # fmt: skip


@pytest.mark.anyio
async def test_an_event_of_any_name_is_sent_once() -> None:
    inbox = Inbox()
    await _emit({"name": "*"}, inbox)
    assert inbox.emitted[0][0].addresses == ("evt:session:session:*",)


@pytest.mark.anyio
async def test_a_word_to_a_person_is_its_own_record() -> None:
    effect = Effect("answer_user", {"message": "hi", "level": "warning"}, "0", "node")
    assert await answer_user(effect, _context(Inbox())) == Ok({"message": "hi", "level": "warning"})


def test_the_feature_brings_them() -> None:
    assert set(FEATURE.effects) == {"emit_event", "answer_user"}
    assert set(FEATURE.programs) == {"flow", "listener"}
