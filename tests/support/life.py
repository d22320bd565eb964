"""One run as a store would keep it, for the simulation and its laws."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from perdure.ids import Key
from perdure.kernel.model import Event, Open, Run, Step, Usage
from perdure.kernel.program import Moment, Move, Program, View
from perdure.kernel.values import Json
from perdure.services.retold import Retold

NOTHING_USED: Final = Usage()


class Watched:
    """A program, and how often it was asked."""

    def __init__(self, program: Program) -> None:
        """Watch `program`."""
        self.program = program
        self.asked = 0
        self.named: set[str] = set()  # the children that have a name of their own

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Count the question and pass it on."""
        self.asked += 1
        move = self.program.next(cells, event, moment)
        self.named.update(start.identity for start in move.starts if start.identity is not None)
        return move


@dataclass
class Life:
    """One run as a store would keep it."""

    run: Run
    program: Watched
    inputs: Mapping[str, Json]
    cells: dict[str, Json]
    steps: list[Step] = field(default_factory=list)
    outbox: dict[Key, Open] = field(default_factory=dict)
    in_review: set[Key] = field(default_factory=set)
    waits: dict[tuple[Key, int], Open] = field(default_factory=dict)
    known: dict[str, Open] = field(default_factory=dict)  # by tag, open or not: the latest
    used: Usage = NOTHING_USED
    history: list[Event] = field(default_factory=list)
    retold: Retold | None = None  # the same run, from what its ledger says alone

    def open_as(self, tag: str) -> Open:
        """What is open, or was open last, under the program's name `tag`."""
        return self.known[tag]
