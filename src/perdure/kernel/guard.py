"""What a fork does instead of harm: it takes an outcome that was recorded, or asks before it acts.

A fork carries what its origin came to as cells: `rt/recorded/<digest>/<n>` is the outcome of the
n-th effect of that digest, `rt/recorded/<digest>` how many have been taken, and
`rt/declared/<node>` what whoever forked says that an effect of the node comes to.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final, NamedTuple

import orjson

from perdure.kernel.model import (
    GONE,
    Effect,
    EffectClass,
    Failed,
    Guard,
    Ok,
    Open,
    Reason,
    Wait,
)
from perdure.kernel.program import View
from perdure.kernel.values import Json

RECORDED: Final = "rt/recorded/"
DECLARED: Final = "rt/declared/"
ASKS_AGAIN: Final = "fork_effect"  # what the details of the wait say that it is
HARMFUL: Final = frozenset({EffectClass.ONCE, EffectClass.COMPENSABLE})
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
    return {"ok": isinstance(outcome, Ok), "outcome": outcome._asdict()}


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


def stub_of(guard: Guard, cells: View, kind: str, node_id: str, payload: Json) -> Json:
    """The outcome that stands for an effect, taken from the cells; `None` where it is to be performed."""
    if guard not in (Guard.REUSE, Guard.SIMULATE):
        return None
    digest = _digest(guard, kind, node_id, payload)
    taken = cells.get(f"{RECORDED}{digest}", 0)
    name = f"{RECORDED}{digest}/{taken}"
    found = cells.get(name)
    if found is not None:
        cells.pending |= {name: GONE, f"{RECORDED}{digest}": taken + 1}
    return found


def simulated(cells: View, node_id: str) -> Json:
    """What a simulation takes for an effect of which nothing is recorded."""
    if f"{DECLARED}{node_id}" in cells:
        return kept_outcome(Ok(cells[f"{DECLARED}{node_id}"]))
    return kept_outcome(_NOT_SIMULATED)


def asks(guard: Guard, effect: Effect) -> bool:
    """Whether a person is asked before the effect is performed."""
    return guard is not Guard.RERUN and effect.effect_class in HARMFUL


def question(entry: Open, effect: Effect, asked: Json) -> Wait:
    """The wait in which a person says whether a fork performs an effect."""
    details = {
        "kind": ASKS_AGAIN, "mode": "approval_required", "effect": asked, "effect_key": entry.key,
        "class": str(effect.effect_class),
    }  # fmt: skip
    return Wait(
        tag=effect.tag, node_id=effect.node_id, reason=Reason.USER, kind=effect.kind,
        key=f"fork:{entry.key}", prompt=f"This is a fork. Perform {effect.kind} here?",
        choices=("perform it", "do not"), allow_free_text=False, details=details, payload=effect.payload,
        result_key=effect.result_key, review_of=entry.key,
    )  # fmt: skip


def is_question(wait: Wait) -> bool:
    """Whether a wait asks for leave to perform an effect, and not what became of one."""
    return isinstance(wait.details, dict) and wait.details.get("kind") == ASKS_AGAIN


def _digest(guard: Guard, kind: str, node_id: str, payload: Json) -> str:
    """What makes two effects the same one: for a simulation the node, else also what is asked of it."""
    told = [kind, node_id] if guard is Guard.SIMULATE else [kind, node_id, payload]
    return sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
