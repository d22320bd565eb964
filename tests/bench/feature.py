"""Programs of the bench: one that sleeps until a time, and one that makes steps at its own pace."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from perdure.bundles.bundle import Bundle
from perdure.kernel.model import (
    Advance,
    Effect,
    EffectClass,
    Event,
    Ok,
    Outcome,
    ProgramRef,
    Reason,
    Wait,
)
from perdure.kernel.program import Done, Moment, Move, Program, View
from perdure.registry.effects import EffectContext, EffectKind
from perdure.registry.feature import Feature
from perdure.stores.runs import Listener

UNTIL, EVERY = "in/until", "in/every"


class Sleeps:
    """Waits for a time and ends."""

    def next(self, cells: View, event: Event, _moment: Moment) -> Move:
        """Wait, or end."""
        if not isinstance(event, Advance):
            return Move(end=Done(None))
        until = datetime.fromisoformat(cells[UNTIL])
        return Move(waits=(Wait("nap", "nap", Reason.UNTIL, "wait_until", until=until),))


class Paces:
    """Makes steps without end, each after a while."""

    def next(self, cells: View, _event: Event, _moment: Moment) -> Move:
        """Ask for the next."""
        every = cells[EVERY]
        effect = Effect("pace", {"every": every}, "pace", "pace", EffectClass.IDEMPOTENT)
        return Move(effects=(effect,), path=("pace",))


async def pace(effect: Effect, _context: EffectContext) -> Outcome:
    """Take a while, now more and now less, so that runs do not march in step."""
    await asyncio.sleep(effect.payload["every"] * random.uniform(0.5, 1.5))
    return Ok(None)


SLEEPS: Final[Program] = Sleeps()
PACES: Final[Program] = Paces()


def sleeps(_ref: ProgramRef, _bundle: Bundle | None) -> Program:
    """The program that sleeps."""
    return SLEEPS


def paces(_ref: ProgramRef, _bundle: Bundle | None) -> Program:
    """The program that makes steps."""
    return PACES


def feature(observers: Sequence[Listener] = ()) -> Feature:
    """Both, and somebody who hears of every commit."""
    return Feature(
        name="bench", effects={"pace": EffectKind(pace)}, programs={"sleeps": sleeps, "paces": paces},
        observers=observers,
    )  # fmt: skip
