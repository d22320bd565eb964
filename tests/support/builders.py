"""Runs, effects and waits in one line: each builder fills in what a test does not care about."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from perdure.clock import text_of
from perdure.ids import Key, RunId, SessionId, StepId, derived_id
from perdure.kernel.limits import Limits
from perdure.kernel.model import (
    Birth,
    Deadline,
    Effect,
    EffectClass,
    Open,
    ProgramRef,
    Reason,
    Run,
    Start,
    Status,
    Wait,
)
from perdure.kernel.values import Json
from tests.support.clock import START

AT: Final = text_of(START)


def a_run_id(name: str = "run") -> RunId:
    """The id of the run that a test calls `name`: the same name, the same id."""
    return RunId(derived_id("test", name))


def a_birth(name: str = "run", **changes: Any) -> Birth:
    """The birth of a root run."""
    run_id = a_run_id(name)
    birth = Birth(
        id=run_id,
        workflow_id="bundle@1.0.0:flow",
        program=ProgramRef("test", None, name),
        created_at=AT,
        root_id=run_id,
        session_id=SessionId("session"),
    )
    return replace(birth, **changes)


def a_deadline(seconds: float | None, of: str = "run") -> Deadline | None:
    """The deadline so long after the clock's start that was given to the run `of`; none for `None`."""
    if seconds is None:
        return None
    return Deadline(text_of(START + timedelta(seconds=seconds)), a_run_id(of))


def a_run(
    *asked: Effect | Wait, waiting: str | None = None, limits: Limits | None = None, **changes: Any
) -> Run:
    """A run that has begun and holds open what it `asked`; `waiting="k"` adds a question of key `k`.

    Keys are the waits' own, else `k1`, `k2` …; records are numbered in the order given.
    """
    if waiting is not None:
        asked = (*asked, a_question(waiting, key=waiting))
    opened: dict[Key, Open] = {}
    for seq, what in enumerate(asked, start=1):
        own = what.key if isinstance(what, Wait) else None
        entry = an_open(what, key=own or f"k{seq}", seq=seq)
        opened[entry.key] = entry
    only_waits = opened and all(isinstance(what, Wait) for what in asked)
    run = Run(
        birth=a_birth() if limits is None else a_birth(limits=limits),
        version=2,
        status=Status.WAITING if only_waits else Status.RUNNING,
        seq=len(asked),
        updated_at=AT,
        ready=False,
        open=opened,
    )
    return replace(run, **changes)


def an_open(what: Effect | Wait, *, key: str = "k1", seq: int = 1, review: bool = False) -> Open:
    """Something open under `key` since record `seq`."""
    return Open(Key(key), StepId(derived_id("step", str(seq))), seq, AT, what, review)


def an_effect(
    tag: str = "a", effect_class: EffectClass = EffectClass.READ, **changes: Any
) -> Effect:
    """A request for one `echo`."""
    effect = Effect("echo", {"say": tag}, tag, f"node-{tag}", effect_class, result_key=tag)
    return replace(effect, **changes)


def a_question(tag: str = "q", *, key: str | None = None, **changes: Any) -> Wait:
    """A wait for a person's answer."""
    wait = Wait(
        tag, f"node-{tag}", Reason.USER, "ask_user", key=key, prompt=f"{tag}?", result_key=tag
    )
    return replace(wait, **changes)


def a_listener(tag: str = "e", *, key: str | None = None, **changes: Any) -> Wait:
    """A wait for an event."""
    wait = Wait(tag, f"node-{tag}", Reason.EVENT, "wait_event", key=key, result_key=tag)
    return replace(wait, **changes)


def a_timer(tag: str, until: datetime, **changes: Any) -> Wait:
    """A wait for a time."""
    wait = Wait(tag, f"node-{tag}", Reason.UNTIL, "wait_until", until=until, result_key=tag)
    return replace(wait, **changes)


def a_start(
    tag: str = "c", *, of: str = "child", cells: Mapping[str, Json] | None = None, **changes: Any
) -> Start:
    """A child to be born, that runs the program which the test calls `of`."""
    ref = ProgramRef("test", None, of)
    start = Start(tag, f"node-{tag}", ref, f"bundle@1.0.0:{of}", cells or {}, result_key=tag)
    return replace(start, **changes)
