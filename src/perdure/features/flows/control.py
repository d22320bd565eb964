"""Frames: how a position goes into the branches of control nodes, and comes back out of them.

A position stands at a node, at a depth. Each depth has a frame: the control node that is returned
to when the branch at that depth ends. Entering a control node by an edge, from wherever, begins it
anew: if it stands on the stack already, its frame and all above are given up.

`parallel` makes positions of its branches. They are asked in turn within one fold until each waits
for something, so that what they ask for goes out together. The last one to end returns to the fork.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import asdict, replace

from perdure.features.flows.faults import BoundReached
from perdure.features.flows.model import Opened
from perdure.features.flows.turn import (
    MAIN,
    READY,
    Turn,
    branch_of,
    frame_cell,
    got_cell,
    kept_cell,
    last_cell,
    left_cell,
    parent_of,
    place_cell,
)
from perdure.features.flows.values import MISSING
from perdure.kernel.model import Failed, Ok, Outcome
from perdure.kernel.values import Json

FORKS_MAX: Final = 32  # parallels within each other's branches


class Place(Struct, frozen=True):
    """Where a position stands. `via` is the way it came in, where that makes a difference."""

    node: str
    depth: int = 0
    via: str | None = None
    back: bool = False  # returned to by the end of a branch, not entered by an edge
    hold: Json = None  # what the node keeps until it is answered


def read_place(turn: Turn, position: str) -> Place | None:
    """Where the position stands, or `None` where it does not yet."""
    cell = turn.get(place_cell(position))
    return None if cell is None else Place(**cell)


def write_place(turn: Turn, position: str, place: Place) -> None:
    """Let the position stand there. What is as usual is not written."""
    cell = {name: value for name, value in asdict(place).items() if value}
    turn.put(place_cell(position), cell)


# --- frames ------------------------------------------------------------------------------------


def enter(turn: Turn, position: str, place: Place, opened: Opened) -> tuple[Json, int]:
    """Put a frame on the stack for the control node just entered; the frame and the depth below it."""
    depth = next(
        (it for it in range(place.depth) if _node_at(turn, position, it) == place.node), place.depth
    )
    for above in range(depth, place.depth):
        leave(turn, position, above)
    if opened.kept is not MISSING:
        turn.put(kept_cell(position, depth), opened.kept)
    return opened.frame, depth


def _node_at(turn: Turn, position: str, depth: int) -> str:
    return str(turn.get(frame_cell(position, depth))["node"])


def frame_at(turn: Turn, position: str, depth: int) -> Json:
    """The frame that the control node at this depth kept."""
    return turn.get(frame_cell(position, depth))


def kept_at(turn: Turn, position: str, depth: int) -> Json:
    """What the control node at this depth kept when it was entered."""
    return turn.get(kept_cell(position, depth))


def keep(turn: Turn, position: str, depth: int, place: Place, frame: Json) -> None:
    """Write the frame down for the next return."""
    cell = {"node": place.node, "frame": frame}
    turn.put(frame_cell(position, depth), {**cell, "via": place.via} if place.via else cell)


def leave(turn: Turn, position: str, depth: int) -> None:
    """Take the frame at this depth off the stack."""
    turn.drop(frame_cell(position, depth))
    turn.drop(kept_cell(position, depth))


def back_to(turn: Turn, position: str, depth: int) -> Place:
    """The control node on top of a stack of this depth, returned to."""
    cell = frame_at(turn, position, depth - 1)
    return Place(cell["node"], depth, cell.get("via"), back=True)


def come_back(turn: Turn, position: str, place: Place) -> tuple[Json, Place]:
    """What a node that begins anew had kept, and where it stands now, its frame off the stack."""
    if not place.back:
        _, depth = enter(turn, position, place, Opened(None))
        return None, replace(place, depth=depth)
    depth = place.depth - 1
    kept = frame_at(turn, position, depth)["frame"]
    leave(turn, position, depth)
    return kept, Place(place.node, depth, place.via)


# --- several things at once --------------------------------------------------------------------


def gathering(turn: Turn, position: str, number: int, outcome: Outcome) -> list[Json] | None:
    """Keep the outcome of one of several things; all of them in their order, once there are all."""
    left = int(turn.get(left_cell(position))) - 1
    turn.put(got_cell(position, number), outcome_cell(outcome))
    turn.put(left_cell(position), left)
    if left:
        return None
    turn.drop(left_cell(position))
    gathered: list[Json] = []
    while (got := turn.get(got_cell(position, len(gathered)))) is not None:
        turn.drop(got_cell(position, len(gathered)))
        gathered.append(got)
    return gathered


def outcome_cell(outcome: Outcome) -> Json:
    """An outcome as a cell keeps it, and as a node that asked for several things reads it."""
    if isinstance(outcome, Ok):
        return {"ok": True, "result": outcome.result}
    detail = outcome.detail
    code = outcome.code if isinstance(outcome, Failed) else "unknown_outcome"
    return {"ok": False, "code": code, "detail": detail}


# --- positions ---------------------------------------------------------------------------------


def current(turn: Turn) -> str:
    """The position to be asked next."""
    ready = turn.get(READY)
    return str(ready[0]) if ready else MAIN


def wake(turn: Turn, position: str) -> None:
    """Let a position that was answered go on."""
    if turn.get(READY) is not None:
        turn.put(READY, [position])
    turn.more = True


def rest(turn: Turn, position: str) -> None:
    """The position waits or has ended: the next one that is ready goes on, if there is one."""
    ready = turn.get(READY)
    if ready is not None:
        left = [it for it in ready if it != position]
        turn.put(READY, left)
        turn.more = bool(left)


def fork(
    turn: Turn, position: str, depth: int, place: Place, targets: list[tuple[str, str | None]]
) -> None:
    """Make a position of each branch, given by its first node and the way in."""
    if position.count(".") // 2 >= FORKS_MAX:
        raise BoundReached(f"branches fork at most {FORKS_MAX} times within each other")
    last = turn.get(last_cell(position))
    branches = [branch_of(position, depth, index) for index in range(len(targets))]
    for branch, (node_id, via) in zip(branches, targets, strict=True):
        write_place(turn, branch, Place(node_id, via=via))
        if last is not None:
            turn.put(last_cell(branch), last)
    frame = {"forked": True, "left": len(branches), "branches": len(branches), "last": last}
    keep(turn, position, depth, place, frame)
    write_place(turn, position, Place(place.node, depth + 1, place.via))
    ready = [it for it in turn.get(READY) or () if it != position]
    turn.put(READY, [*branches, *ready])
    turn.more = True


def end_branch(turn: Turn, branch: str) -> None:
    """A branch has ended; with the last one, the fork goes on.

    The last output is then that of the last branch, in their order, that made one, whichever of
    them ended last.
    """
    position, depth = parent_of(branch)
    turn.drop(place_cell(branch))
    cell = frame_at(turn, position, depth)
    frame = cell["frame"]
    left = frame["left"] - 1
    rest(turn, branch)
    if left:
        turn.put(frame_cell(position, depth), {**cell, "frame": {**frame, "left": left}})
        return
    made = frame["last"]
    for index in range(frame["branches"]):
        name = last_cell(branch_of(position, depth, index))
        made = it if (it := turn.get(name)) != frame["last"] else made
        turn.drop(name)
    if made is not None:
        turn.put(last_cell(position), made)
    write_place(turn, position, back_to(turn, position, depth + 1))
    turn.put(READY, [position, *(turn.get(READY) or ())])
    turn.more = True
