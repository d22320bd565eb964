"""The program of a fork: it asks again for what was open, takes outcomes that are recorded, and asks before harm.

A rule around a program, and no part of it: the kernel and the programs know nothing of forks. What
a fork is born with lies in its cells. `rt/fork` says what its origin had open; its first move asks
for that again, in the fork's own name. `rt/recorded/<digest>/<n>` is what the n-th effect of that
digest came to in the origin, `rt/recorded/<digest>` how many of them have been taken, and
`rt/declared/<node>` what whoever forked says that an effect of the node comes to. `rt/asked/<tag>`
is an effect that waits for a person's leave.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Final, NamedTuple

import orjson
from msgspec.structs import asdict, replace

from perdure.clock import text_of, time_of
from perdure.ids import BundleSha, RunId, SessionId
from perdure.kernel.draft import CHILD_KIND, effect_json
from perdure.kernel.model import (
    GONE,
    Advance,
    Answered,
    Arrived,
    Birth,
    Cells,
    Effect,
    EffectClass,
    Event,
    Failed,
    Guard,
    Ok,
    Point,
    ProgramRef,
    Reason,
    Run,
    Start,
    Wait,
)
from perdure.kernel.program import Moment, Move, Program, View
from perdure.kernel.values import Json

FORK: Final = "rt/fork"
RECORDED: Final = "rt/recorded/"
DECLARED: Final = "rt/declared/"
ASKED: Final = "rt/asked/"
LEAVE: Final = "leave:"  # what the tag of a question begins with
HARMFUL: Final = frozenset({EffectClass.ONCE, EffectClass.COMPENSABLE})
TAKES: Final = frozenset({Guard.REUSE, Guard.SIMULATE})
_NOT_SIMULATED: Final = Failed(
    "not_simulated", "no outcome is recorded or declared for this effect"
)


class CameTo(NamedTuple):
    """An effect or a child of the run that is forked, and its outcome."""

    kind: str
    node_id: str
    payload: Json
    outcome: Ok | Failed


def kept_outcome(outcome: Ok | Failed) -> Json:
    """An outcome as a cell or an effect keeps it."""
    return {"ok": isinstance(outcome, Ok), "outcome": asdict(outcome)}


def outcome_of(kept: Json) -> Ok | Failed:
    """The outcome that was kept."""
    return Ok(**kept["outcome"]) if kept["ok"] else Failed(**kept["outcome"])


def recorded_cells(guard: Guard, outcomes: Iterable[CameTo]) -> Iterator[tuple[str, Json]]:
    """The cells in which a fork carries what its origin came to, in the order in which it was asked."""
    counts: dict[str, int] = {}
    for kind, node_id, payload, outcome in outcomes:
        digest = _digest(guard, kind, node_id, payload)
        number = counts[digest] = counts.get(digest, -1) + 1
        yield f"{RECORDED}{digest}/{number}", kept_outcome(outcome)


def opened_cell(run: Run, children: Mapping[RunId, Start]) -> Json:
    """What `run` has open, as the cell of its fork says it; of a child, how its own fork begins."""
    told = (_told(entry.what, run.birth, children) for entry in run.open.values())
    return [one for one in told if one is not None]


def forked_child(wait: Wait, child: Birth, cells: Cells, point: Point) -> Start:
    """The start of a child that goes on, below a fork, where `child` stood."""
    return Start(
        tag=wait.tag, node_id=wait.node_id, program=child.program, workflow_id=child.workflow_id,
        cells=cells, payload=wait.payload, result_key=wait.result_key, forked_from=point,
    )  # fmt: skip


class Guarded:
    """A program as a fork runs it, under one of the guards."""

    def __init__(self, program: Program, guard: Guard) -> None:
        """Guard `program`."""
        self._program, self._guard = program, guard

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Name the program's next move, but for what it must not do unasked."""
        if isinstance(event, Advance) and FORK in cells:
            return self._reopened(cells, moment.run)
        if isinstance(event, Answered) and event.tag.startswith(LEAVE):
            return self._decided(cells, event, moment)
        return self._held_back(cells, self._program.next(cells, event, moment))

    def _reopened(self, cells: View, fork: Birth) -> Move:
        """Ask again for what was open. What mutates asks first, also where all is run again."""
        opened = _Opened({FORK: GONE})
        for told in cells[FORK]:
            if "effect" in told:
                opened.effects.append(_effect_of(told["effect"]))
            elif "child" in told:
                opened.starts.append(_start_of(told["child"]))
            elif (wait := _wait_of(told, fork)).tag.startswith(LEAVE):
                name = ASKED + wait.tag.removeprefix(LEAVE)
                opened.writes[name] = GONE
                opened.effects.append(_effect_of(cells[name]))
            else:
                opened.waits.append(wait)
        return self._held_back(cells, opened.move(), reopens=True)

    def _decided(self, cells: View, event: Answered, moment: Moment) -> Move:
        """Perform what was allowed; else tell the program how it ended without."""
        tag = event.tag.removeprefix(LEAVE)
        effect, payload = _effect_of(cells[ASKED + tag]), event.payload
        cleared: dict[str, Json] = {ASKED + tag: GONE}
        if payload.get("approved") is True:
            return Move(writes=cleared, effects=(effect,))
        if payload.get("resolution") == "happened":
            outcome: Ok | Failed = Ok(payload.get("result"))
        elif payload.get("approved") is False:
            reason = payload.get("reason")
            outcome = Failed("not_approved", reason if isinstance(reason, str) else "")
        else:
            return Move(waits=(_question(effect),))  # it was no answer to this
        told = Arrived(event.key, outcome, tag=tag)
        move = self._held_back(cells, self._program.next(cells, told, moment))
        return replace(move, writes={**cleared, **move.writes})

    def _held_back(self, cells: View, move: Move, *, reopens: bool = False) -> Move:
        """The move with each effect performed, taken from the record, or asked about."""
        given_up = tuple(LEAVE + tag for tag in move.withdraw if ASKED + tag in cells)
        if not (move.effects or move.starts or given_up):
            return move
        opened = _Opened(dict(move.writes))
        opened.waits += move.waits
        for effect in move.effects:
            stub = self._stub(cells, opened.writes, effect.kind, effect.node_id, effect.payload)
            if stub is None and self._guard is Guard.SIMULATE:
                stub = _simulated(cells, effect.node_id)
            asks = effect.effect_class in HARMFUL and (reopens or self._guard is not Guard.RERUN)
            if stub is None and asks:
                opened.writes[ASKED + effect.tag] = _told_effect(effect)
                opened.waits.append(_question(effect))
            else:
                opened.effects.append(replace(effect, stub=stub))
        for start in move.starts:
            self._start(cells, opened, start)
        opened.writes.update({ASKED + tag: GONE for tag in move.withdraw if ASKED + tag in cells})
        return replace(move,
            writes=opened.writes, effects=tuple(opened.effects), waits=tuple(opened.waits),
            starts=tuple(opened.starts), withdraw=move.withdraw + given_up,
        )  # fmt: skip

    def _start(self, cells: View, opened: "_Opened", start: Start) -> None:
        """Start a child, or take what such a child came to in the origin."""
        stub = None
        if start.wait and start.forked_from is None:
            stub = self._stub(cells, opened.writes, CHILD_KIND, start.node_id, start.payload)
        if stub is None:
            opened.starts.append(start)
        else:
            opened.effects.append(Effect(
                CHILD_KIND, start.payload, start.tag, start.node_id, result_key=start.result_key, stub=stub
            ))  # fmt: skip

    def _stub(
        self, cells: View, writes: dict[str, Json], kind: str, node_id: str, payload: Json
    ) -> Json:
        """The outcome that stands for an effect, taken from the cells; `None` where there is none."""
        if self._guard not in TAKES:
            return None
        place = f"{RECORDED}{_digest(self._guard, kind, node_id, payload)}"
        taken: int = writes[place] if place in writes else cells.get(place, 0)
        found = cells.get(f"{place}/{taken}")
        if found is not None:
            writes |= {f"{place}/{taken}": GONE, place: taken + 1}
        return found


class _Opened:
    """What a move begins, while it is put together."""

    def __init__(self, writes: dict[str, Json]) -> None:
        self.writes = writes
        self.effects: list[Effect] = []
        self.waits: list[Wait] = []
        self.starts: list[Start] = []

    def move(self) -> Move:
        return Move(
            writes=self.writes, effects=tuple(self.effects), waits=tuple(self.waits),
            starts=tuple(self.starts),
        )  # fmt: skip


def _digest(guard: Guard, kind: str, node_id: str, payload: Json) -> str:
    """What makes two effects the same one: for a simulation the node, else also what is asked of it."""
    told = [kind, node_id] if guard is Guard.SIMULATE else [kind, node_id, payload]
    return sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _simulated(cells: View, node_id: str) -> Json:
    """What a simulation takes for an effect of which nothing is recorded."""
    if f"{DECLARED}{node_id}" in cells:
        return kept_outcome(Ok(cells[f"{DECLARED}{node_id}"]))
    return kept_outcome(_NOT_SIMULATED)


def _question(effect: Effect) -> Wait:
    """The wait in which a person says whether a fork performs an effect."""
    details = {
        "kind": "fork_effect", "mode": "approval_required", "class": str(effect.effect_class),
        "effect": effect_json(effect.kind, effect.payload, effect.result_key),
    }  # fmt: skip
    return Wait(
        tag=LEAVE + effect.tag, node_id=effect.node_id, reason=Reason.USER, kind=effect.kind,
        prompt=f"This is a fork. Perform {effect.kind} here?", details=details,
        payload=effect.payload, result_key=effect.result_key,
    )  # fmt: skip


# --- what is open, as JSON --------------------------------------------------------------------------


def _told(what: Effect | Wait, origin: Birth, children: Mapping[RunId, Start]) -> Json:
    """What is open. A review goes with its effect, which asks anew."""
    if isinstance(what, Effect):
        return {"effect": _told_effect(what)}
    if what.review_of is not None:
        return None
    if what.child is None:
        return {"wait": _told_wait(what), "of": [origin.id, origin.parent_id, origin.session_id]}
    start = children.get(what.child)
    return None if start is None else {"child": _told_start(start)}


def _told_effect(effect: Effect) -> Json:
    return {**asdict(replace(effect, stub=None)), "effect_class": str(effect.effect_class)}


def _told_wait(wait: Wait) -> Json:
    return {
        **asdict(wait),
        "reason": wait.reason.value,
        "until": None if wait.until is None else text_of(wait.until),
        "choices": None if wait.choices is None else list(wait.choices),
    }


def _told_start(start: Start) -> Json:
    assert start.forked_from is not None, "a child of a fork is a fork"
    return {
        "tag": start.tag, "node_id": start.node_id, "program": list(start.program),
        "workflow_id": start.workflow_id, "cells": dict(start.cells), "payload": start.payload,
        "session_id": start.session_id, "result_key": start.result_key,
        "forked_from": list(start.forked_from),
    }  # fmt: skip


def _effect_of(told: Mapping[str, Json]) -> Effect:
    return Effect(**{**told, "effect_class": EffectClass(told["effect_class"])})


def _wait_of(opened: Mapping[str, Json], fork: Birth) -> Wait:
    """A wait that names the fork, what is above it and its session where it named those of its origin."""
    told = opened["wait"]
    until, choices = told["until"], told["choices"]
    return Wait(**{
        **told,
        "reason": Reason(told["reason"]),
        "key": _moved(told["key"], opened, fork),
        "match": _moved(told["match"], opened, fork),
        "until": None if until is None else time_of(until),
        "choices": None if choices is None else tuple(choices),
    })  # fmt: skip


def _moved(address: str | None, opened: Mapping[str, Json], fork: Birth) -> str | None:
    """The address of a wait, in the fork's own name."""
    if address is None:
        return None
    assert fork.forked_from is not None, "only forks have something to open again"
    # Forks of before did not say whose the wait was; their ledgers are still told as they were lived.
    origin, parent, session = opened.get("of", (fork.forked_from.run_id, None, None))
    if session is not None:
        of_session = f"evt:session:{session}:"
        if address.startswith(of_session):
            return f"evt:session:{fork.session_id}:{address.removeprefix(of_session)}"
    if parent is not None:
        address = address.replace(parent, fork.parent_id or fork.id)
    return address.replace(origin, fork.id)


def _start_of(told: Mapping[str, Json]) -> Start:
    kind, bundle, name = told["program"]
    program = ProgramRef(kind, None if bundle is None else BundleSha(bundle), name)
    session = told["session_id"]
    return Start(**{
        **told,
        "program": program,
        "session_id": None if session is None else SessionId(session),
        "forked_from": Point(*told["forked_from"]),
    })  # fmt: skip
