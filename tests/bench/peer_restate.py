"""Restate at the same work: the service that its server calls, in the bench's own environment."""

import time
from typing import Any

import restate

late: list[float] = []


async def echo() -> int:
    """Do nothing; the server keeps the outcome before the next effect begins."""
    return 1


async def run(ctx: Any, effects: int) -> int:
    """Perform so many durable effects, one after the other."""
    for _ in range(effects):
        await ctx.run_typed("echo", echo)
    return effects


async def ring(ctx: Any, due: float) -> None:
    """Note how late this was called, in seconds."""
    late.append(time.time() - due)


async def lateness(ctx: Any, expected: int) -> list[float]:
    """What was noted so far."""
    return late


service = restate.Service("bench")
for handler in (run, ring, lateness):
    service.handler()(handler)
app = restate.app([service])
