"""The product behind HTTP, with runs of the bench's own making and a note of every commit. Run as a program."""

import argparse
import json
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import anyio
import uvicorn
import uvloop
from msgspec.structs import replace

from perdure.app.build import App, build
from perdure.app.settings import read_settings
from perdure.ids import RunId, derived_id, step_id_of
from perdure.kernel.draft import born
from perdure.kernel.model import Decision, Run, Step
from perdure.stores.runs import Commit, Committed
from tests.bench.feature import EVERY, feature
from tests.bench.plane import birth_of
from tests.bench.work import ANSWER, AT, PROMPT

AT_ONCE = 500  # records of one commit


class Commits:
    """When each record was on disk, by the writer's own clock."""

    def __init__(self) -> None:
        """None yet."""
        self.at: dict[str, float] = {}
        self._moments: deque[float] = deque()

    def probe(self, name: str) -> None:
        """Note the moment, on the writer's thread."""
        if name == "after_commit":
            self._moments.append(monotonic())

    def heard(self, batch: Sequence[Committed]) -> None:
        """Put what was committed down under the earliest moment that was not put down yet."""
        moment = self._moments[0] if self._moments else monotonic()
        self._moments.clear()
        for one in batch:
            for record in one.records:
                self.at[f"{one.decision.run.id}:{record.seq}"] = moment


async def paced(app: App, count: int, every: float) -> list[RunId]:
    """Runs that make a step now and then, without end."""
    ids = []
    for _ in range(count):
        birth = birth_of("paces")
        await app.runtime.plane.runs.commit(Commit(born(birth, {EVERY: every})))
        ids.append(birth.id)
    return ids


async def long(app: App, steps: int) -> list[RunId]:
    """A run with so many records. They are put down many at a time, for they are only to be read."""
    birth = birth_of("paces")
    run = replace(born(birth, {EVERY: 3600.0}).run, ready=False)
    await app.runtime.plane.runs.commit(Commit(Decision(run, 0)))
    while run.seq < steps:
        count = min(AT_ONCE, steps - run.seq)
        made = tuple(step_of(run, run.seq + it + 1) for it in range(count))
        run = replace(run, version=run.version + 1, seq=run.seq + count)
        await app.runtime.plane.runs.commit(Commit(Decision(run, run.version - 1, steps=made)))
    return [birth.id]


def step_of(run: Run, seq: int) -> Step:
    """A record of usual size."""
    key = derived_id(run.id, step_id_of(run.id, seq))
    effect = {"type": "echo", "payload": {"prompt": PROMPT}, "result_key": "out/node-1"}
    result = {"content": ANSWER, "usage": {"input_tokens": 17, "output_tokens": 21}}
    step_id = step_id_of(run.id, seq)
    return Step(seq, step_id, "node-1", "completed", AT, AT, effect, result, None, 1, key)


async def served(folder: Path, port: int, options: argparse.Namespace) -> dict[str, Any]:
    """Serve, tell the ids of the runs, and tell at the end when each record was on disk."""
    commits = Commits()
    settings = read_settings(data_dir=folder, port=port, embedded_model=False, log_level="warning")
    async with build(settings, features=[feature([commits.heard])], probe=commits.probe) as app:
        config = uvicorn.Config(
            app.api, port=port, log_config=None, access_log=False, lifespan="off", backlog=2048
        )
        server = uvicorn.Server(config)
        assert app.runner is not None
        async with anyio.create_task_group() as group:
            group.start_soon(app.runner.serve)
            group.start_soon(server.serve)
            if options.steps:
                ids = await long(app, options.steps)
            else:
                ids = await paced(app, options.runs, options.every)
            while not server.started:
                await anyio.sleep(0.02)
            print(json.dumps(ids), flush=True)
            await anyio.to_thread.run_sync(sys.stdin.readline)
            app.closing.close()
            server.should_exit = True
            app.runner.stop()
    return commits.at


def main() -> None:
    """Serve until a line comes in."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between a run's steps")
    parser.add_argument("--steps", type=int, default=0, help="one run with so many records")
    options = parser.parse_args()
    print(json.dumps(uvloop.run(served(options.folder, options.port, options))))


if __name__ == "__main__":
    main()
