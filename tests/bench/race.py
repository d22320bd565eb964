"""Contestants at the same work, taking turns, so that a machine that slows down slows all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.bench.figures import Bench, Figure, Unavailable, not_measured

SECTION = "Steps per second"
AT = (1, 10, 100)  # how many runs move at once


@dataclass(frozen=True, slots=True)
class Contestant:
    """Someone who makes durable steps: `rate(runs, seconds)` measures once and gives steps per second."""

    name: str
    rate: Callable[[int, float], float]
    beside: tuple[str, ...] = ()  # how the names begin of those that it is compared with
    note: str = ""


@dataclass(slots=True)
class Score:
    """What a contestant reached in each round, or why it could not."""

    rates: list[float] = field(default_factory=list)
    why: str = ""

    @property
    def last(self) -> str:
        """What the last turn gave."""
        return self.why or f"{self.rates[-1]:,.0f} steps/s"


Scores = Mapping[tuple[str, int], Score]


def one_turn(who: Contestant, runs: int, seconds: float, score: Score) -> None:
    """Measure once. Who cannot run is out for the other rounds as well, so that rounds stay paired."""
    if score.why:
        return
    try:
        score.rates.append(who.rate(runs, seconds))
    except Unavailable as why:
        score.why = str(why)


def race(
    contestants: Sequence[Contestant], bench: Bench, say: Callable[[str], None]
) -> list[Figure]:
    """Let all take turns for every round and every number of runs, and compare them pair by pair."""
    scores = {(who.name, runs): Score() for who in contestants for runs in AT}
    for turn in range(bench.rounds):
        for runs in AT:
            # The order turns as well: who goes second finds the disk as the first one left it.
            shift = turn % len(contestants)
            for who in (*contestants[shift:], *contestants[:shift]):
                one_turn(who, runs, bench.seconds, scores[who.name, runs])
                say(f"round {turn + 1}, {runs} at once, {who.name}: {scores[who.name, runs].last}")
    return [it for who in contestants for runs in AT for it in lines_of(who, runs, scores)]


def lines_of(who: Contestant, runs: int, scores: Scores) -> list[Figure]:
    """A contestant's lines for one number of runs: one for each that it is compared with."""
    name, score = f"{who.name}, {runs} at once", scores[who.name, runs]
    if score.why:
        return [not_measured(SECTION, name, score.why)]
    spread = (min(score.rates), max(score.rates)) if len(score.rates) > 1 else None
    pairs = [compared(score, it, runs, scores) for it in who.beside] or [("", None)]
    return [
        Figure(SECTION, name, median(score.rates), "steps/s", beside, ratio, spread, who.note)
        for beside, ratio in pairs
    ]


def compared(mine: Score, name: str, runs: int, scores: Scores) -> tuple[str, float | None]:
    """The fastest contestant whose name begins so, and the median of the rounds' ratios to it."""
    others = {
        who: score
        for (who, at), score in scores.items()
        if at == runs and who.startswith(name) and not score.why
    }
    if not others:
        return name, None
    fastest = max(others, key=lambda who: median(others[who].rates))
    pairs = zip(mine.rates, others[fastest].rates, strict=True)
    return fastest, median(a / b for a, b in pairs)


def done_within(begin: float, end: float, spans: Sequence[tuple[float, float]]) -> float:
    """How many of the runs that took these spans fall between two moments, each by its share.

    Runs of many steps end in waves, so that counting ends would say more of the waves than of the rate.
    """
    shares = ((min(b, end) - max(a, begin)) / (b - a) for a, b in spans)
    return sum(share for share in shares if share > 0)
