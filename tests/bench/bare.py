"""The bare loop: asyncio, a writer thread and group commit, and nothing of a product. Run as a program."""

import argparse
import asyncio
import json
import os
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from time import perf_counter

from tests.bench.programs import settled
from tests.bench.sinks import PostgresSink, Sink, SqliteSink
from tests.bench.work import BareRun, bare_runs, next_step

BATCH_MAX = 512
WARM_UP = 0.3  # seconds that are not counted

Waiting = tuple[BareRun, asyncio.Future[None]]


def answer(batch: Sequence[Waiting]) -> None:
    """Wake all whose step was committed."""
    for _, future in batch:
        future.set_result(None)


def gathered(queue: "SimpleQueue[Waiting | None]") -> list[Waiting]:
    """Wait for one and take all that came with it; nothing means the end."""
    batch: list[Waiting] = []
    try:
        while len(batch) < BATCH_MAX:
            # Only the first is waited for: a batch forms while the one before it is synced.
            one = queue.get(block=not batch)
            if one is None:
                return []
            batch.append(one)
    except Empty:
        pass
    return batch


def write_all(
    sink: Sink, queue: "SimpleQueue[Waiting | None]", loop: asyncio.AbstractEventLoop
) -> None:
    """The writer thread: encode, hash and commit what gathered, then answer all at once."""
    while batch := gathered(queue):
        sink.write([next_step(run) for run, _ in batch])
        loop.call_soon_threadsafe(answer, batch)


def fall(args: threading.ExceptHookArgs) -> None:
    """End the program with the writer: the loop would wait for ever for an answer."""
    traceback.print_exception(args.exc_value)
    os._exit(1)


async def moved(sinks: Sequence[Sink], runs: Sequence[BareRun], seconds: float) -> float:
    """Let all runs make steps for some seconds, and give the steps per second."""
    loop = asyncio.get_running_loop()
    queues: list[SimpleQueue[Waiting | None]] = [SimpleQueue() for _ in sinks]
    threads = [
        threading.Thread(target=write_all, args=(sink, queue, loop))
        for sink, queue in zip(sinks, queues, strict=True)
    ]
    for thread in threads:
        thread.start()
    counted, begin = 0, perf_counter() + WARM_UP
    end = begin + seconds

    async def drive(run: BareRun) -> None:
        nonlocal counted
        queue = queues[run.number % len(queues)]
        while (now := perf_counter()) < end:
            future = loop.create_future()
            queue.put((run, future))
            await future
            counted += now >= begin

    await asyncio.gather(*map(drive, runs))
    took = perf_counter() - begin
    for queue in queues:
        queue.put(None)
    for thread in threads:
        thread.join()
    return counted / took


def alone(sink: Sink, run: BareRun, seconds: float) -> float:
    """No loop and no thread: one step a transaction, one after the other."""
    begin, counted = perf_counter(), 0
    while perf_counter() < begin + seconds:
        sink.write([next_step(run)])
        counted += 1
    return counted / (perf_counter() - begin)


def opened(options: argparse.Namespace, runs: Sequence[BareRun], folder: Path) -> list[Sink]:
    """The database that was asked for; on Postgres as many connections as writers."""
    if options.sink != "postgres":
        return [SqliteSink(folder / "bare.db", options.sink, runs)]
    return [PostgresSink(options.dsn, runs if not n else ()) for n in range(options.writers)]


def main() -> None:
    """Measure once and print the rate."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sink", choices=("sqlite3", "pysqlite3", "postgres"), required=True)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--dsn", default="")
    parser.add_argument("--writers", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help="one step a transaction, no loop")
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    threading.excepthook = fall
    settled()
    with TemporaryDirectory(dir=options.folder) as folder:
        runs = bare_runs(options.runs)
        sinks = opened(options, runs, Path(folder))
        if options.alone:
            rate = alone(sinks[0], runs[0], options.seconds)
        else:
            rate = asyncio.run(moved(sinks, runs, options.seconds))
        for sink in sinks:
            sink.close()
    print(json.dumps({"rate": rate}))


if __name__ == "__main__":
    main()
