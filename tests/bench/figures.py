"""What a measurement hands back, and what it is given."""

from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Unavailable(Exception):
    """Something to measure is not on this machine; the text says why, and the table repeats it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value beside the limit or the peer of the same run. Without a value it was not measured."""

    section: str
    name: str
    value: float | None
    unit: str
    beside: str = ""
    ratio: float | None = None  # value over the value of `beside`, both of this run
    spread: tuple[float, float] | None = None  # lowest and highest, when taken more than once
    note: str = ""


def not_measured(section: str, name: str, why: object) -> Figure:
    """The line of something that is not here, with the reason in place of a value."""
    return Figure(section, name, None, "", note=str(why))


@dataclass(frozen=True, slots=True)
class Bench:
    """One run of the bench: where it may write, how long a measurement takes, and how often."""

    scratch: Path
    seconds: float
    rounds: int
    install: bool = True  # peers that are missing are installed
    small: bool = False  # a smoke run: fewer runs, readers and steps
    seen: list[Figure] = field(default_factory=list)

    def value_of(self, section: str, name: str) -> float | None:
        """What was measured before under this name, to stand beside it; none if it was not."""
        found = (it.value for it in self.seen if (it.section, it.name) == (section, name))
        return next(found, None)
