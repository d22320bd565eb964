"""What one event changes in a run of a flow, while it is worked out."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from perdure.features.flows.vars import LAST
from perdure.kernel.model import GONE, Effect, Start, Wait
from perdure.kernel.program import Done, Fail, Moment, Move, View
from perdure.kernel.values import Json

MAIN: Final = "0"  # the position of a plain flow, and the first one of any
INPUT: Final = "in/"
PART: Final = "#"
READY: Final = "ctl/ready"  # positions that can go on at once; there only after a `parallel`


class Turn:
    """A move in the making, over the cells as they were. Never seen by a node."""

    __slots__ = (
        "_cells",
        "_effects",
        "_starts",
        "_waits",
        "_writes",
        "end",
        "moment",
        "more",
        "path",
        "warnings",
    )

    def __init__(self, cells: View, moment: Moment) -> None:
        """Begin with nothing changed."""
        self._cells = cells
        self._writes: dict[str, Json] = {}
        self._effects: tuple[Effect, ...] = ()
        self._waits: tuple[Wait, ...] = ()
        self._starts: tuple[Start, ...] = ()
        self.moment = moment
        self.path: tuple[str, ...] = ()
        self.warnings: tuple[str, ...] = ()
        self.end: Done | Fail | None = None
        self.more = False

    def get(self, name: str, default: Json = None) -> Json:
        """The cell as it stands with this turn's writes."""
        if name in self._writes:
            value = self._writes[name]
            return default if value is GONE else value
        return self._cells.get(name, default)

    def start(self, what: Start) -> None:
        """Have a child begin whose end comes back under its own tag."""
        self._starts += (what,)

    def inputs(self) -> dict[str, Json]:
        """Everything that the run was given. Reads every name of a cell: once, at the beginning."""
        return {name[len(INPUT) :]: self.get(name) for name in self._cells.names(INPUT)}

    def put(self, name: str, value: Json) -> None:
        """Write a cell."""
        self._writes[name] = value

    def put_all(self, writes: Mapping[str, Json]) -> None:
        """Write several cells."""
        self._writes.update(writes)

    def drop(self, name: str) -> None:
        """Take a cell away, if it is there."""
        if self.get(name) is not None:
            self._writes[name] = GONE

    def ask(self, what: Effect | Wait | Start | tuple[Effect, ...], position: str) -> None:
        """Ask for something; the answer comes back to `position`, of several to each one's own tag."""
        match what:
            case Effect():
                self._effects += (replace(what, tag=position),)
            case Wait():
                self._waits += (replace(what, tag=position),)
            case Start():
                self._starts += (replace(what, tag=position),)
            case _:
                self.put(left_cell(position), len(what))
                tagged = enumerate(what)
                self._effects += tuple(replace(it, tag=part_of(position, n)) for n, it in tagged)

    def move(self) -> Move:
        """The move as it was worked out."""
        return Move(
            writes=self._writes, effects=self._effects, waits=self._waits, starts=self._starts, end=self.end,
            path=self.path, more=self.more and self.end is None, warnings=self.warnings,
        )  # fmt: skip


# --- the cells of a position -------------------------------------------------------------------


def place_cell(position: str) -> str:
    """Where a position stands."""
    return f"ctl/{position}"


def frame_cell(position: str, depth: int) -> str:
    """What the control node at this depth keeps from pass to pass."""
    return f"ctl/{position}/{depth}"


def kept_cell(position: str, depth: int) -> str:
    """What the control node at this depth keeps unchanged."""
    return f"ctl/{position}/{depth}/kept"


def last_cell(position: str) -> str:
    """The cell that names the last output of a position."""
    return LAST if position == MAIN else f"ctl/{position}/last"


def part_of(position: str, number: int) -> str:
    """The tag of one of several things that a position asked for together."""
    return f"{position}{PART}{number}"


def left_cell(position: str) -> str:
    """How many of several things the position still waits for."""
    return f"ctl/{position}/left"


def got_cell(position: str, number: int) -> str:
    """What the position has got of one of several things."""
    return f"ctl/{position}/got/{number}"


def branch_of(position: str, depth: int, index: int) -> str:
    """The position of one branch of a fork."""
    return f"{position}.{depth}.{index}"


def parent_of(position: str) -> tuple[str, int]:
    """The position that forked this one, and the depth of the node that did."""
    parent, depth, _ = position.rsplit(".", 2)
    return parent, int(depth)
