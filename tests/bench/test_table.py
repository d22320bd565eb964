"""The page says what was measured, beside what, and why something was not."""

from pathlib import Path

import pytest

from tests.bench.figures import Bench, Figure, Unavailable, not_measured
from tests.bench.race import Contestant, done_within, race
from tests.bench.table import page
from tests.bench.targets import TARGETS, verdicts

BENCH = Bench(Path(), seconds=1.0, rounds=3)


def steady(name: str, rate: float, *beside: str) -> Contestant:
    """A contestant that always reaches the same."""
    return Contestant(name, lambda runs, seconds: rate * runs, beside)


def test_a_page_shows_value_ratio_and_reason() -> None:
    figures = [
        Figure("Speed", "ours", 12_345.6, "steps/s", "the limit", 0.512, (12_000, 13_000)),
        not_measured("Speed", "theirs", "npm is not on PATH"),
    ]
    text = page(figures, {"processor": "2 × a chip"}, "python -m tests.bench")
    assert "| ours | 12,346 steps/s (12,000–13,000) | the limit | **0.512 ×** |  |" in text
    assert "| theirs | not measured |  |  | npm is not on PATH |" in text
    assert "- processor: 2 × a chip" in text
    assert "`python -m tests.bench`" in text


def test_a_ratio_is_taken_to_the_fastest_of_that_name() -> None:
    racing = [steady("bare (a)", 100), steady("bare (b)", 400), steady("ours", 200, "bare")]
    ours = [it for it in race(racing, BENCH, lambda _: None) if it.name.startswith("ours")]
    assert [(it.beside, it.ratio) for it in ours] == [("bare (b)", 0.5)] * 3


def test_who_cannot_run_is_named_with_the_reason_and_spoils_no_ratio() -> None:
    def missing(runs: int, seconds: float) -> float:
        raise Unavailable("it is not here")

    racing = [Contestant("theirs", missing), steady("ours", 200, "theirs")]
    theirs, *_, ours = race(racing, BENCH, lambda _: None)
    assert (theirs.value, theirs.note) == (None, "it is not here")
    assert ours.value == pytest.approx(20_000)
    assert ours.ratio is None


def test_a_run_counts_by_its_share_of_the_time() -> None:
    spans = [(0.0, 2.0), (1.0, 3.0), (2.0, 4.0), (5.0, 6.0)]
    assert done_within(1.0, 3.0, spans) == pytest.approx(0.5 + 1.0 + 0.5)


def test_a_target_is_met_missed_or_not_measured() -> None:
    fast, dbos = "Perdure, SQLite, 100 at once", "DBOS, SQLite as it comes, 100 at once"
    figures = [
        Figure("Speed", fast, 400, "steps/s", "bare loop, SQLite (sqlite3), 100 at once", 0.4),
        Figure("Speed", fast, 400, "steps/s", dbos, 12.0),
    ]
    lines = verdicts(figures).splitlines()[4:]
    assert len(lines) == len(TARGETS)
    assert lines[0].endswith("| at least 0.5 × | 0.40 × | **missed** |")
    assert lines[2].endswith("| at least 10 × | 12.00 × | met |")
    assert lines[3].endswith("| not measured |")
