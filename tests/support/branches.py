"""A program of branches that run beside one another, made of a plan that a test can generate.

What it ends with says, for each thing it asked for, how that ended, and depends on the outcomes
alone, never on the order in which they came. It is strict: an event about something that it did
not ask for, or no longer wants, is an error.
"""

from datetime import timedelta
from typing import NamedTuple

from perdure.kernel.model import (
    Advance,
    Answered,
    Arrived,
    Due,
    Effect,
    EffectClass,
    Event,
    Failed,
    Start,
    Told,
    Wait,
)
from perdure.kernel.program import Done, Fail, Moment, Move, View
from perdure.kernel.values import Json
from tests.support.builders import a_listener, a_question, a_start, a_timer, an_effect


class Do(NamedTuple):
    """Ask for one effect."""

    effect_class: EffectClass = EffectClass.READ


class Ask(NamedTuple):
    """Ask a person; branches may ask under the same key."""

    key: str | None = None


class Sleep(NamedTuple):
    """Wait for a time."""

    seconds: float = 60


class Race(NamedTuple):
    """Wait for an event and a time, as two waits; who comes second is withdrawn."""

    seconds: float = 60


class Listen(NamedTuple):
    """Wait for an event until a time, as one wait."""

    seconds: float = 60


class Call(NamedTuple):
    """Give birth to a child, and wait for its end."""

    of: str = "child"


class Think(NamedTuple):
    """Make some pure moves."""

    moves: int = 1


Atom = Do | Ask | Sleep | Race | Listen | Call | Think
Plan = tuple[tuple[Atom, ...], ...]


class Branches:
    """Runs the branches of a plan beside one another and ends when all have."""

    def __init__(self, *branches: tuple[Atom, ...], fragile: bool = False) -> None:
        """Follow `branches`; a `fragile` run fails with the first failed effect or child."""
        self.plan: Plan = branches
        self.fragile = fragile

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Take the branch that the event is about one atom further."""
        failed = event.outcome if isinstance(event, Arrived) else None
        if self.fragile and isinstance(failed, Failed):
            return Move(end=Fail(failed.code, failed.detail))
        turn = _Turn(self.plan, cells, moment)
        match event:
            case Advance() if "ctl/0" not in cells:
                turn.begin()
            case Advance():
                turn.think()
            case Told():
                turn.writes["told"] = cells.get("told", 0) + 1
            case Arrived(tag=tag) | Answered(tag=tag) | Due(tag=tag):
                turn.leave(tag, _word(event))
            case _:
                raise AssertionError(f"a program never sees {event!r}")
        return turn.move()


def _word(event: Arrived | Answered | Due) -> Json:
    match event:
        case Answered(payload=payload):
            return payload
        case Due():
            return "due"
        case Arrived(outcome=Failed(code=code)):
            return f"failed: {code}"
        case Arrived(outcome=outcome):
            return getattr(outcome, "result", None)


class _Turn:
    """One move while it is being made."""

    def __init__(self, plan: Plan, cells: View, moment: Moment) -> None:
        self.plan, self.cells, self.moment = plan, cells, moment
        self.writes: dict[str, Json] = {}
        self.effects: list[Effect] = []
        self.waits: list[Wait] = []
        self.starts: list[Start] = []
        self.withdraw: list[str] = []
        self.path: list[str] = []

    def begin(self) -> None:
        for branch in range(len(self.plan)):
            self.enter(branch, 0)

    def leave(self, tag: str, how: Json) -> None:
        branch, place = (int(part) for part in tag.partition("~")[0].split("."))
        assert self.at(branch) == place, f"{tag} is not wanted any more"
        atom = self.plan[branch][place]
        if isinstance(atom, Race):
            late = tag.endswith("~late")
            self.withdraw.append(tag.removesuffix("~late") if late else f"{tag}~late")
        self.writes[f"out/{branch}.{place}"] = how
        self.enter(branch, place + 1)

    def enter(self, branch: int, place: int) -> None:
        self.writes[f"ctl/{branch}"] = place
        if place >= len(self.plan[branch]):
            return
        tag = f"{branch}.{place}"
        self.path.append(tag)
        match self.plan[branch][place]:
            case Do(effect_class=effect_class):
                self.effects.append(an_effect(tag, effect_class))
            case Call(of=of):
                self.starts.append(a_start(tag, of=of))
            case Think(moves=moves):
                self.writes[f"think/{branch}"] = moves
            case atom:
                self.waits += _waits_of(atom, tag, self.moment)

    def at(self, branch: int) -> int:
        return int(self.seen(f"ctl/{branch}"))

    def thought(self, branch: int) -> int:
        return int(self.seen(f"think/{branch}"))

    def seen(self, name: str) -> Json:
        return self.writes[name] if name in self.writes else self.cells.get(name, 0)

    def thinking(self) -> list[int]:
        return [branch for branch in range(len(self.plan)) if self.thought(branch)]

    def think(self) -> None:
        branch = self.thinking()[0]
        left = self.thought(branch) - 1
        self.writes[f"think/{branch}"] = left
        if left == 0:
            self.leave(f"{branch}.{self.at(branch)}", "thought")

    def move(self) -> Move:
        over = all(self.at(branch) >= len(atoms) for branch, atoms in enumerate(self.plan))
        outputs = {name: self.cells[name] for name in self.cells.names("out/")}
        outputs |= {name: value for name, value in self.writes.items() if name.startswith("out/")}
        return Move(
            writes=self.writes, effects=tuple(self.effects), waits=tuple(self.waits),
            starts=tuple(self.starts), withdraw=tuple(self.withdraw), path=tuple(self.path),
            end=Done(outputs) if over else None, more=bool(self.thinking()),
        )  # fmt: skip


def _waits_of(atom: Ask | Sleep | Race | Listen, tag: str, moment: Moment) -> list[Wait]:
    match atom:
        case Ask(key=key):
            return [a_question(tag, key=key)]
        case Sleep(seconds=seconds):
            return [a_timer(tag, moment.at + timedelta(seconds=seconds))]
        case Race(seconds=seconds):
            until = moment.at + timedelta(seconds=seconds)
            return [a_listener(tag), a_timer(f"{tag}~late", until)]
        case Listen(seconds=seconds):
            return [a_listener(tag, until=moment.at + timedelta(seconds=seconds))]
