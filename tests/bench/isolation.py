"""Whether the time of an answer tells what is another's from what is not there."""

from pathlib import Path
from statistics import median
from time import perf_counter

import anyio

from perdure.app.selftest.document import Asked
from perdure.app.selftest.requests import another, request_of, values_of
from perdure.app.selftest.things import Things
from perdure.app.selftest.trial import a_trial
from tests.bench.figures import Bench, Figure
from tests.isolation.gateway import a_gateway_of_many

SECTION = "Not yours, and not there"
PAIRS, FEW = 60, 4
WIDEST = 3  # routes that are told one by one
ONLY = "{"  # routes with an id in their path


async def timed(asked: Asked, alice: Things, bob: Things, pairs: int) -> tuple[float, float]:
    """The medians of Bob's asking for what is Alice's and for what is not there, in turns; seconds."""
    place = asked.required()[-1]
    values = await values_of(asked, alice, whole=True)
    make = another(asked.ids[place][0])
    await request_of(asked, values, bob.person).by(bob.person)  # which opens what is closed
    took: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * pairs):
        theirs = turn % 4 in (0, 3)  # each comes first as often as second
        said = values if theirs else {**values, place: make(values[place])}
        request = request_of(asked, said, bob.person)
        begin = perf_counter()
        answer = await request.by(bob.person)
        took[theirs].append(perf_counter() - begin)
        assert answer.status in (403, 404) or not asked.row.known, (asked.route, answer)
    return median(took[True]), median(took[False])


async def compared(folder: Path, pairs: int) -> list[Figure]:
    """Every route whose path names a thing, over HTTP on loopback, on SQLite."""
    found: list[tuple[str, float, float]] = []
    async with (
        a_gateway_of_many(folder) as (app, url),
        a_trial(url, app.first_token, only=ONLY, cleans=False) as trial,
    ):
        bob = trial.readers[0]
        for asked in trial.asked:
            if asked.required() and not asked.makes:
                found.append((asked.route, *await timed(asked, trial.alice, bob, pairs)))
    figures = [_all(found)]
    for route, theirs, absent in sorted(found, key=_apart, reverse=True)[:WIDEST]:
        figures.append(Figure(SECTION, f"{route}: another's", theirs * 1e3, "ms",
                              "what is not there", theirs / absent))  # fmt: skip
    return figures


def _all(found: list[tuple[str, float, float]]) -> Figure:
    theirs = median(it for _, it, _ in found)
    absent = median(it for _, _, it in found)
    note = f"{len(found)} routes, asked in turns; those furthest apart follow"
    name = "another's, the median of all routes"
    return Figure(SECTION, name, theirs * 1e3, "ms", "what is not there", theirs / absent, note=note)  # fmt: skip


def _apart(one: tuple[str, float, float]) -> float:
    _, theirs, absent = one
    return max(theirs, absent) / min(theirs, absent)


def measure(bench: Bench) -> list[Figure]:
    """Take the time of both answers."""
    pairs = FEW if bench.small else PAIRS
    return anyio.run(compared, bench.scratch / "isolation", pairs)
