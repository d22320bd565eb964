"""Nodes that run branches in an order of their own: they are returned to when a branch ends."""

from collections.abc import Mapping
from math import ceil
from typing import Final

from perdure.features.flows.faults import BoundReached, NodeFault
from perdure.features.flows.model import (
    Control,
    Fork,
    Into,
    Node,
    NodeType,
    Opened,
    Out,
    Visit,
    described,
)
from perdure.features.flows.values import Pins, as_list, finite, number_of
from perdure.features.flows.vars import Vars
from perdure.kernel.limits import INTEGER_MAX
from perdure.kernel.values import Json

PASSES_MAX = 10_000  # of one `while` or `for`


# --- in an order -------------------------------------------------------------------------------


def _sequence(_visit: Visit) -> Opened:
    return Opened({"next": 0})


def _next_branch(visit: Visit, frame: Json, _kept: Json) -> Into | Out:
    branches = _branches(visit.node)
    at = frame["next"]
    return Into(branches[at], {"next": at + 1}) if at < len(branches) else Out("exec-out")


def _parallel(_visit: Visit) -> Opened:
    return Opened({"forked": False})


def _all_branches(visit: Visit, frame: Json, _kept: Json) -> Fork | Out:
    branches = _branches(visit.node)
    return Out("completed") if frame["forked"] or not branches else Fork(branches)


def _branches(node: Node) -> tuple[str, ...]:
    """The connected branches by their number, as `then:2` before `then:10`."""
    drawn = [name for name in node.targets if name.startswith("then:")]
    return tuple(sorted(drawn, key=_branch_number))


def _branch_number(name: str) -> tuple[int, str]:
    number = name.removeprefix("then:")
    return (int(number), "") if number.isdecimal() and len(number) < 10 else (10**9, number)


# --- again and again ---------------------------------------------------------------------------


def _loop(visit: Visit) -> Opened:
    """The items are resolved once; they are kept apart, for the frame changes with each pass."""
    return Opened({"index": 0}, kept=list(as_list(visit.pins.get("items"))))


def _next_item(visit: Visit, frame: Json, kept: Json) -> Into | Out:
    index = frame["index"]
    if "loop" not in visit.node.targets or index >= len(kept):
        return Out("done")
    output = _piped(visit.vars)
    output.update(item=kept[index], index=index, total=len(kept))
    return Into("loop", {"index": index + 1}, output)


def _for(visit: Visit) -> Opened:
    start, end = _bound(visit.pins, "start"), _bound(visit.pins, "end")
    step = 1.0 if visit.pins.get("step") is None else _bound(visit.pins, "step")
    if step == 0:
        raise NodeFault("a for loop needs a step that is not zero")
    total = min(INTEGER_MAX, max(0, ceil(finite((end - start) / step))))
    return Opened({"i": start, "end": end, "step": step, "index": 0, "total": total})


def _bound(pins: Pins, name: str) -> float:
    try:
        return number_of(pins.get(name))
    except ValueError:
        raise NodeFault(f"a for loop needs a number for `{name}`") from None


def _next_number(visit: Visit, frame: Json, _kept: Json) -> Into | Out:
    i, index = frame["i"], frame["index"]
    over = i >= frame["end"] if frame["step"] > 0 else i <= frame["end"]
    if "loop" not in visit.node.targets or over:
        return Out("done")
    _check_passes(index)
    output = _piped(visit.vars)
    output.update(i=i, index=index, total=frame["total"])
    nearer = min if frame["step"] > 0 else max  # beyond the end there may be no number any more
    following = nearer(i + frame["step"], frame["end"])
    return Into("loop", {**frame, "i": following, "index": index + 1}, output)


def _while(_visit: Visit) -> Opened:
    return Opened({"index": 0})


def _next_pass(visit: Visit, frame: Json, _kept: Json) -> Into | Out:
    index = frame["index"]
    if "loop" not in visit.node.targets or not visit.pins.get("condition"):
        return Out("done")
    _check_passes(index)
    output = _piped(visit.vars)
    if "item" not in output:
        output["item"] = visit.vars.last_output()
    output["index"] = index
    return Into("loop", {"index": index + 1}, output)


def _check_passes(index: int) -> None:
    if index >= PASSES_MAX:
        raise BoundReached(f"a loop makes at most {PASSES_MAX} passes")


def _piped(vars: Vars) -> Pins:
    """The last output, which a loop passes on to its body with its own keys in it."""
    last = vars.last_output()
    return vars.ambient() if isinstance(last, dict) else {"input": last}


TYPES: Final[Mapping[str, NodeType]] = {
    "sequence": described(
        Control(_sequence, _next_branch, ("then:*",)),
        "->",
        "Runs its branches `then:0`, `then:1` … one after the other, each to its end.",
    ),
    "parallel": described(
        Control(_parallel, _all_branches, ("then:*", "completed")),
        "->",
        "Runs its branches beside each other: what they ask for is under way together. `completed` follows the last one to end; the last output is that of the last branch in their order.",
    ),
    "loop": described(
        Control(_loop, _next_item, ("loop", "done")),
        "items -> item index total",
        "Runs `loop` for each item, then `done`. The items are taken once, when it is entered.",
    ),
    "for": described(
        Control(_for, _next_number, ("loop", "done")),
        "start end step -> i index total",
        "Runs `loop` for each number from `start` up to, and without, `end`; then `done`. Each number is the one before and `step`, as floats: where they cannot hold a fraction there may be one pass more than `total`, which is the distance over `step`. More than 10,000 passes fail the run with `limit_reached`.",
    ),
    "while": described(
        Control(_while, _next_pass, ("loop", "done"), rereads=True),
        "condition -> item index",
        "Runs `loop` while the condition, computed anew for each pass, is true; then `done`. More than 10,000 passes fail the run with `limit_reached`.",
    ),
}
