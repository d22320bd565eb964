"""Killed at any moment, a gateway loses nothing that it acknowledged and does nothing twice."""

import os

import pytest

from tests.journeys.journey import Journey, arrive, random_kills, travel

PROBES = (
    "after_intent:5", "after_dispatch:3", "after_act:5", "after_outcome:5", "before_commit:9", "inside_batch:9",
    "after_commit:9", "snapshot:1", "migration:1", "migration:2",
)  # fmt: skip
KILLS = 40
RUNS_A_LIFE = 3
AVAILABLE = 0.1  # of all looks; a service that does not come back is found out long before
SOAK = int(os.environ.get("SOAK", "2000"))


def keys_of(count: int) -> list[str]:
    """The keys of so many runs."""
    return [f"r{number}" for number in range(count)]


async def killed_at_random(journey: Journey, kills: int, runs_a_life: int) -> None:
    """A journey with so many random deaths, held to everything."""
    dying = random_kills(journey, kills, runs_a_life, seed=kills)
    await travel(journey, keys_of(kills * runs_a_life), dying)
    await arrive(journey)
    assert journey.gateway.lives == kills + 1
    assert journey.witness.availability >= AVAILABLE


@pytest.mark.anyio
@pytest.mark.parametrize("probe", PROBES)
async def test_killed_at_a_probe(probe: str, journey: Journey) -> None:
    journey.load.allow(8)
    await travel(journey, keys_of(8), lambda: journey.die_at(probe))
    await arrive(journey)
    assert journey.gateway.lives == 2


@pytest.mark.anyio
@pytest.mark.timeout(600)
async def test_killed_at_random(journey: Journey) -> None:
    await killed_at_random(journey, KILLS, RUNS_A_LIFE)


@pytest.mark.soak
@pytest.mark.anyio
async def test_killed_thousands_of_times(journey: Journey) -> None:
    await killed_at_random(journey, SOAK, runs_a_life=1)
