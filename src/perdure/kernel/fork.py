"""A fork's beginning: what its origin had open at the point is asked for again, in the fork's own name.

A fork is a birth. Its cells are those of the origin after the record that it is forked from, and
one more, `rt/fork`, that says what was open then. Its first decision opens that again, each under
a key of the fork's own, so that nothing that is meant for the origin reaches the fork, and the
other way round. An answer that the program was not asked about yet lies in `rt/held/…`, as after
a hold.
"""

from collections.abc import Mapping
from typing import Final

from perdure.clock import text_of, time_of
from perdure.ids import BundleSha, RunId, SessionId
from perdure.kernel.draft import Draft
from perdure.kernel.guard import HARMFUL
from perdure.kernel.model import (
    GONE,
    Birth,
    Cells,
    Effect,
    EffectClass,
    Guard,
    Point,
    ProgramRef,
    Reason,
    Run,
    Start,
    Wait,
)
from perdure.kernel.values import Json

FORK: Final = "rt/fork"


def opened_cell(run: Run, children: Mapping[RunId, Start]) -> Json:
    """What `run` has open, as the cell of its fork says it; of a child, how its own fork begins."""
    return [
        told for entry in run.open.values() if (told := _told(entry.what, children)) is not None
    ]


def forked_child(
    wait: Wait, child: Birth, cells: Cells, point: Point, session_id: SessionId | None
) -> Start:
    """The start of a child that goes on, below a fork, where `child` stood."""
    return Start(
        tag=wait.tag, node_id=wait.node_id, program=child.program, workflow_id=child.workflow_id,
        cells=cells, payload=wait.payload, session_id=session_id, result_key=wait.result_key,
        forked_from=point,
    )  # fmt: skip


def reopen(draft: Draft) -> None:
    """Ask again for all that the origin had open. What mutates asks first, whatever the guard."""
    kept = draft.cells[FORK]
    draft.cells.pending[FORK] = GONE
    for told in kept:
        if "effect" in told:
            _begin(draft, _effect_of(told["effect"]))
        elif "wait" in told:
            draft.open_wait(_own(_wait_of(told["wait"]), draft.birth))
        else:
            draft.begin_child(_start_of(told["child"]))


def _own(wait: Wait, birth: Birth) -> Wait:
    """A wait that names the fork where it named its origin."""
    assert birth.forked_from is not None, "only forks have something to open again"
    origin, own = birth.forked_from.run_id, birth.id
    key, match = wait.key and wait.key.replace(origin, own), wait.match
    return wait._replace(key=key, match=match and match.replace(origin, own))


def _begin(draft: Draft, effect: Effect) -> None:
    if draft.birth.guard is Guard.RERUN and effect.effect_class in HARMFUL:
        draft.begin_if_allowed(effect)  # an approval from before the fork does not carry over
    else:
        draft.begin_effect(effect)


def _told(what: Effect | Wait, children: Mapping[RunId, Start]) -> Json:
    """What is open, as JSON. A review goes with its effect, which asks anew."""
    if isinstance(what, Effect):
        kept = what._replace(stub=None)._asdict()
        return {"effect": {**kept, "effect_class": str(what.effect_class)}}
    if what.review_of is not None:
        return None
    if what.child is None:
        return {"wait": _told_wait(what)}
    start = children.get(what.child)
    return None if start is None else {"child": _told_start(start)}


def _told_wait(wait: Wait) -> Json:
    return {
        **wait._asdict(),
        "reason": wait.reason.value,
        "until": None if wait.until is None else text_of(wait.until),
        "choices": None if wait.choices is None else list(wait.choices),
    }


def _told_start(start: Start) -> Json:
    assert start.forked_from is not None
    return {
        "tag": start.tag, "node_id": start.node_id, "program": list(start.program),
        "workflow_id": start.workflow_id, "cells": dict(start.cells), "payload": start.payload,
        "session_id": start.session_id, "result_key": start.result_key,
        "forked_from": list(start.forked_from),
    }  # fmt: skip


def _effect_of(told: Mapping[str, Json]) -> Effect:
    return Effect(**{**told, "effect_class": EffectClass(told["effect_class"])})


def _wait_of(told: Mapping[str, Json]) -> Wait:
    until, choices = told["until"], told["choices"]
    return Wait(**{
        **told,
        "reason": Reason(told["reason"]),
        "until": None if until is None else time_of(until),
        "choices": None if choices is None else tuple(choices),
    })  # fmt: skip


def _start_of(told: Mapping[str, Json]) -> Start:
    kind, bundle, name = told["program"]
    program = ProgramRef(kind, None if bundle is None else BundleSha(bundle), name)
    return Start(**{**told, "program": program, "forked_from": Point(*told["forked_from"])})
