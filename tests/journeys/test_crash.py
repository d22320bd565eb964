"""Killed at any moment, a gateway loses nothing that it acknowledged and does nothing twice."""

import logging
import os

import pytest

from tests.journeys.account import TERMINAL
from tests.journeys.journey import Journey, arrive, hang_ups, random_kills, travel, two_at_once

PROBES = (
    "after_intent:5", "after_dispatch:3", "after_act:5", "after_outcome:5", "inside_batch:9", "after_commit:9",
    "snapshot:1", "migration:1",
)  # fmt: skip
RUNS = 8
HANG_UPS = 6
DEATHS = 4
KILLS = 40
RUNS_A_LIFE = 3
AVAILABLE = 0.1  # of all looks whether it answers
ENDED = 0.2  # runs for each death, before the last life
log = logging.getLogger("journeys")
SOAK = int(os.environ.get("SOAK", "2000"))


def keys_of(count: int) -> list[str]:
    """The keys of so many runs."""
    return [f"r{number}" for number in range(count)]


async def killed_at_random(journey: Journey, kills: int, runs_a_life: int) -> None:
    """A journey with so many random deaths, held to everything."""
    dying = random_kills(journey, kills, runs_a_life, seed=kills)
    await travel(journey, keys_of(kills * runs_a_life), dying)
    await arrive(journey)
    await check_service(journey, kills)


async def check_service(journey: Journey, kills: int) -> None:
    """A dead service keeps every promise: this one answered, and brought runs to their end between its deaths."""
    witness = journey.witness
    roots = [run for run in await journey.wire.runs(root_only=True) if run["status"] in TERMINAL]
    ended = sum(run["updated_at"] < witness.dying_over_at for run in roots)
    log.info(
        "%d kills, %d runs (%d ended between kills), %d commands, %d effects in doubt, answered %.0f %% of the time",
        kills, len(witness.runs), ended, len(witness.commands), len(witness.doubted), 100 * witness.availability,
    )  # fmt: skip
    assert journey.gateway.lives == kills + 1
    assert witness.availability >= AVAILABLE
    assert ended >= kills * ENDED


@pytest.mark.anyio
@pytest.mark.parametrize("probe", PROBES)
async def test_killed_at_a_probe(probe: str, journey: Journey) -> None:
    journey.load.allow(RUNS)
    await travel(journey, keys_of(RUNS), lambda: journey.die_at(probe))
    await arrive(journey)
    assert journey.gateway.lives == 2


@pytest.mark.anyio
@pytest.mark.parametrize("postgres", ["postgres"], indirect=True)
async def test_cut_off_from_its_database(journey: Journey) -> None:
    journey.load.allow(RUNS)
    await travel(journey, keys_of(RUNS), hang_ups(journey, HANG_UPS))
    await arrive(journey)
    assert journey.gateway.lives == 2


@pytest.mark.anyio
@pytest.mark.parametrize("postgres", ["postgres"], indirect=True)
async def test_killed_beside_another_process(journey: Journey) -> None:
    journey.load.allow(RUNS)
    await travel(journey, keys_of(RUNS), two_at_once(journey, DEATHS))
    await arrive(journey)


@pytest.mark.anyio
@pytest.mark.timeout(600)
async def test_killed_at_random(journey: Journey) -> None:
    await killed_at_random(journey, KILLS, RUNS_A_LIFE)


@pytest.mark.soak
@pytest.mark.anyio
async def test_killed_thousands_of_times(journey: Journey) -> None:
    await killed_at_random(journey, SOAK, runs_a_life=1)
