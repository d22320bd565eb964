"""A cancel is a fence: once it is committed, no effect of the run or of any run below it begins."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest

from perdure.ids import RunId
from perdure.kernel.model import Effect, EffectClass, Ok, Outcome, Status
from perdure.kernel.program import Move
from perdure.registry.effects import EffectContext
from perdure.stores.runs import Committed
from tests.support.builders import a_start, an_effect
from tests.support.running import Running, Script, Stage, always, running

pytestmark = pytest.mark.anyio

SHORT, LONG = 25, int(os.environ.get("SOAK", "2000")) // 4
AT_ONCE = 5
READ, ONCE, TWICE = an_effect("r"), an_effect("o", effect_class=EffectClass.ONCE), an_effect("i", effect_class=EffectClass.IDEMPOTENT)  # fmt: skip
GOES_ON: dict[str, Any] = {
    f"{it.tag} ok": Move(effects=(it,)) for it in (READ, ONCE, TWICE)
}  # fmt: skip


def a_tree() -> dict[str, Script]:
    """A run with a child that it waits for and one that it does not, each with the like below it."""
    below = {"run": "middle", "middle": "leaf"}
    scripts: dict[str, Script] = {"leaf": {"begin": Move(effects=(READ, ONCE, TWICE)), **GOES_ON}}
    for name, of in below.items():
        starts = (a_start("c", of=of), a_start("d", of=of, wait=False))
        scripts[name] = {
            "begin": Move(effects=(READ, ONCE, TWICE), starts=starts),
            **GOES_ON,
        }
    return scripts


@dataclass
class Witness:
    """Sees effects begin and fences be committed, in one order, and what begins behind its fence."""

    begun: int = 0
    fences: dict[RunId, int] = field(default_factory=dict)  # of a root → effects begun before it
    late: list[tuple[RunId, str]] = field(default_factory=list)
    moved: anyio.Event = field(default_factory=anyio.Event)

    async def perform(self, effect: Effect, context: EffectContext) -> Outcome:
        """Take a moment, so that there is always something in flight."""
        self.begun += 1
        if context.run.root_id in self.fences:
            self.late.append((context.run.id, effect.tag))
        self.moved.set()
        self.moved = anyio.Event()
        await anyio.sleep(0)
        return Ok(None)

    def heard(self, batch: Sequence[Committed]) -> None:
        """A commit is on disk: of a root that is cancelled it is the fence."""
        for committed in batch:
            run = committed.decision.run
            if run.status is Status.CANCELLED and run.birth.parent_id is None:
                self.fences[run.id] = self.begun

    async def until_begun(self, more: int) -> None:
        """Wait until so many effects more have begun."""
        wanted = self.begun + more
        while self.begun < wanted:
            await self.moved.wait()


async def one_life(on_stage: Running, witness: Witness, moment: int) -> RunId:
    """Start a tree and cancel it after so many effects, wherever it then stands."""
    root = await on_stage.start()
    await witness.until_begun(moment)
    await on_stage.send(root, "cancel", body={"reason": "enough"})
    await on_stage.until(root, Status.CANCELLED)
    return root


async def cancelled_at_random(folder: Path, times: int) -> None:
    """So many trees, each cancelled at a moment of its own."""
    chance, witness = Random(20260101), Witness()
    effects = {"echo": always(witness.perform)}
    async with running(folder, Stage(a_tree(), effects)) as on_stage:
        on_stage.runtime.hub.tell_also(witness.heard)
        for _ in range(times // AT_ONCE):
            async with anyio.create_task_group() as group:
                for _ in range(AT_ONCE):
                    group.start_soon(one_life, on_stage, witness, chance.randrange(60))
            await on_stage.rest()
        left = await on_stage.rows("SELECT status, COUNT(*) FROM runs GROUP BY status")
        pending = await on_stage.rows("SELECT COUNT(*) FROM outbox WHERE disposition = 'pending'")
    assert witness.late == [] and len(witness.fences) == times // AT_ONCE * AT_ONCE
    assert dict(left) == {"cancelled": sum(count for _, count in left)} and pending == [(0,)]


@pytest.mark.timeout(300)
async def test_nothing_begins_behind_the_fence_of_a_cancel(tmp_path: Path) -> None:
    await cancelled_at_random(tmp_path, SHORT)


@pytest.mark.soak
async def test_nothing_begins_behind_the_fence_of_any_of_many_cancels(tmp_path: Path) -> None:
    """A quarter of SOAK: 500 of its default."""
    await cancelled_at_random(tmp_path, LONG)
