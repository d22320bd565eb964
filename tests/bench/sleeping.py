"""Runs that sleep: made, held, or woken all at once. Run as a program."""

import argparse
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from statistics import quantiles
from time import time
from typing import Any

import anyio
import uvloop

from perdure.clock import SystemClock, text_of
from perdure.kernel.model import Status
from perdure.stores.runs import Committed
from tests.bench.feature import UNTIL, feature
from tests.bench.plane import Product, product

FAR = timedelta(days=365)
ASLEEP_S = 240.0  # how long they may take to fall asleep
RING_S = 120.0  # how long the last may take


class Heard:
    """Who fell asleep, and when who woke was on disk."""

    def __init__(self) -> None:
        """Nobody yet."""
        self.asleep = 0
        self.woke: list[float] = []

    def heard(self, batch: Sequence[Committed]) -> None:
        """Count both."""
        now = time()
        for one in batch:
            self.asleep += len(one.decision.opened)
            if one.decision.run.status is Status.COMPLETED:
                self.woke.append(now)


async def asleep(it: Product, count: int, until: datetime, heard: Heard) -> None:
    """Make runs that sleep until then, and wait until all do."""
    await it.start_many("sleeps", {UNTIL: text_of(until)}, count)
    with anyio.fail_after(ASLEEP_S):
        while heard.asleep < count:
            await anyio.sleep(0.05)


async def make(folder: Path, count: int) -> dict[str, Any]:
    """Runs that sleep for a year."""
    heard, now = Heard(), SystemClock().now()
    async with product(folder, features=[feature()], heard=[heard.heard]) as it:
        await asleep(it, count, now + FAR, heard)
    return {"asleep": heard.asleep}


async def hold(folder: Path) -> dict[str, Any]:
    """Have the plane open and its runner under way, until killed."""
    async with product(folder, features=[feature()]):
        print("up", flush=True)
        await anyio.sleep_forever()
    return {}


async def ring(folder: Path, count: int, ahead: float) -> dict[str, Any]:
    """Wake all at one instant: how late each one's next record was on disk, in seconds."""
    heard, due = Heard(), SystemClock().now() + timedelta(seconds=ahead)
    async with product(folder, features=[feature()], heard=[heard.heard]) as it:
        await asleep(it, count, due, heard)
        spare = due.timestamp() - time()
        with anyio.move_on_after(ahead + RING_S):
            while len(heard.woke) < count:
                await anyio.sleep(0.05)
    if len(heard.woke) < 2:
        return {"p50": 0.0, "p99": 0.0, "woke": len(heard.woke), "spare": spare}
    late = [it - due.timestamp() for it in heard.woke]
    points = quantiles(late, n=100)
    return {"p50": points[49], "p99": points[98], "woke": len(late), "spare": spare}


def main() -> None:
    """Do the one that is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("make", "hold", "ring"))
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--ahead", type=float, default=0.0, help="seconds until they wake")
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    match options.what:
        case "make":
            work = make(options.folder, options.runs)
        case "hold":
            work = hold(options.folder)
        case _:
            work = ring(options.folder, options.runs, options.ahead)
    print(json.dumps(uvloop.run(work)))


if __name__ == "__main__":
    main()
