"""What a large file costs on its way in, and how long a search takes among a hundred thousand artifacts."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Final

from perdure.adapters.sql.artifact_rows import row_of
from perdure.adapters.sql.commit_rows import ADD_ARTIFACT
from perdure.adapters.sql.dialect import Session, Write
from perdure.adapters.sql.plane import PlaneConfig, Pools, SqlPlane
from perdure.api.collaborators import ApiSettings
from perdure.ids import ArtifactId, derived_id
from perdure.stores.artifacts import Artifact, ArtifactQuery, Maker
from tests.bench.figures import Bench, Figure, Unavailable, not_measured
from tests.bench.plane import opened
from tests.bench.postgres import postgres
from tests.support.gateway import Options, a_gateway
from tests.support.sending import large, sent

SECTION = "Artifacts"
MIB: Final = 1024 * 1024
FILE_BYTES, FILE_SMALL = 1024 * MIB, 64 * MIB
COUNT, COUNT_SMALL = 100_000, 2_000
ROUNDS = 40  # of each search
WANTED_MS = 300.0
TYPES = ("text/plain", "image/png", "application/json", "audio/mpeg")
QUERIES: Final[dict[str, ArtifactQuery]] = {
    "the newest": ArtifactQuery(limit=50),
    "of one modality": ArtifactQuery(modality="image", limit=50),
    "of one session": ArtifactQuery(session_id="session-7", limit=50),
    "of one workflow, page 20": ArtifactQuery(workflow_id="b@1:f3", limit=50, offset=1_000),
    "by a word": ArtifactQuery(text="report 99", limit=50),
    "by a word that many have, page 20": ArtifactQuery(text="report 9", limit=50, offset=1_000),
    "by a word that none has": ArtifactQuery(text="nowhere", limit=50),
    "by a tag, the largest": ArtifactQuery(tags={"batch": "7"}, by_size=True, limit=50),
}


def resident() -> int:
    """The bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4_096


async def came_in(folder: Path, size: int) -> list[Figure]:
    """One large file, and the memory that the process took for it."""
    settings = ApiSettings(
        access_logged=False, attachment_bytes_max=size, artifact_quota_bytes=4 * size
    )
    peak = 0

    def watched() -> Iterator[bytes]:
        nonlocal peak
        for piece in large(size):
            yield piece
            peak = max(peak, resident())

    async with a_gateway(folder, Options(settings=settings, runs=False)) as gateway:
        await sent(gateway.app, large(MIB))
        before, begin = resident(), perf_counter()
        status, told = await sent(gateway.app, watched())
        took = perf_counter() - begin
    assert (status, told["metadata"]["size_bytes"]) == (200, size), told
    name = f"a file of {size // MIB:,} MiB comes in"
    return [
        Figure(SECTION, name, size / MIB / took, "MiB/s"),
        Figure(SECTION, f"{name}: memory beside before", (peak - before) / MIB, "MiB"),
    ]


def an_artifact(n: int) -> Artifact:
    """One of many."""
    run, content_type = f"run-{n // 20}", TYPES[n % len(TYPES)]
    maker = Maker(
        run, f"b@1:f{n % 10}", f"session-{n % 1_000}", f"node-{n % 30}", f"step-{n}", n % 50
    )
    return Artifact(
        ArtifactId(derived_id(run, str(n))), run, f"{n:064x}", n * 7_919 % 1_000_003, content_type,
        f"2026-01-01T{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}.{n:06}+00:00",
        {"filename": f"report {n}.bin", "batch": str(n % 100)}, maker, maker.session_id, "artifact",
    )  # fmt: skip


async def filled(plane: SqlPlane, count: int) -> None:
    """Have so many artifacts."""
    for begin in range(0, count, 5_000):
        rows = [row_of(an_artifact(n)) for n in range(begin, min(count, begin + 5_000))]

        def write(session: Session, rows: Sequence[tuple[object, ...]] = tuple(rows)) -> None:
            session.write([Write(ADD_ARTIFACT, rows)])

        await plane._writer.work(write)


async def timed(plane: SqlPlane, query: ArtifactQuery, *, counted: bool = False) -> list[float]:
    """How long each of several searches takes, in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        begin = perf_counter()
        await (plane.artifacts.count(query) if counted else plane.artifacts.search(query))
        times.append((perf_counter() - begin) * 1_000)
    return times


async def searched(folder: Path, dsn: str, count: int) -> list[Figure]:
    """Searches of every kind, and the counting of all by sort."""
    name = "Postgres" if dsn else "SQLite"
    async with AsyncExitStack() as stack:
        pools = Pools()
        stack.callback(pools.close)
        plane = await opened(
            stack, folder, dsn, PlaneConfig(on_commit=lambda _batch: None, pools=pools)
        )
        await filled(plane, count)
        figures = [
            _figure(f"search among {count:,}, {name}, {what}: p95", await timed(plane, query))
            for what, query in QUERIES.items()
        ]
        counted = await timed(plane, ArtifactQuery(), counted=True)
        figures.append(_figure(f"{count:,} counted by sort, {name}: p95", counted))
    return figures


def _figure(name: str, times: Sequence[float]) -> Figure:
    p95 = quantiles(times, n=20)[-1]
    return Figure(SECTION, name, p95, "ms", f"{WANTED_MS:.0f} ms", p95 / WANTED_MS, (min(times), max(times)), f"p50 {median(times):.1f} ms")  # fmt: skip


def measure(bench: Bench) -> list[Figure]:
    """A large file, and searches on both databases."""
    size, count = (FILE_SMALL, COUNT_SMALL) if bench.small else (FILE_BYTES, COUNT)
    figures = asyncio.run(came_in(bench.scratch / "came-in", size))
    figures += asyncio.run(searched(bench.scratch / "searched", "", count))
    try:
        with postgres() as dsn:
            figures += asyncio.run(searched(bench.scratch / "searched-pg", dsn, count))
    except Unavailable as why:
        figures.append(not_measured(SECTION, "search, Postgres", why))
    return figures
