"""A run carried to an instance on the other store: every byte is verified there, and the run is replayed the same."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from copy import copy
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any
from zipfile import ZipFile

import anyio
import orjson
import pytest

from perdure.errors import QuotaReached, RunExists, RunNotFound, Unfit
from perdure.ids import RunId, is_run_id, new_id
from perdure.kernel.model import Deadline, Status
from perdure.kernel.values import Json
from perdure.registry.registry import registry_of
from perdure.runtimes.context import RuntimeContext
from perdure.services import artifacts
from perdure.services.exports import FORMAT, MANIFEST, SEAL_LETTERS, Packing, export
from perdure.services.forks import ForkRequest, fork
from perdure.services.imports import take_in
from perdure.services.replays import replay
from perdure.stores.records import GENESIS, hash_of
from perdure.stores.runs import Loaded, RunQuery
from tests.support.branches import Ask, Branches, Call, Do, Sleep
from tests.support.gateway import PATIENCE_S, Gateway, a_gateway
from tests.support.planes import DATABASES, a_store
from tests.support.running import FAR, Acted, Running, Stage, always, running

pytestmark = pytest.mark.anyio
SCRIPTS: dict[str, Any] = {
    "run": Branches((Do(), Call("child"), Do()), (Ask("q"), Do()), (Sleep(0.01), Do())),
    "child": Branches((Do(), Do())),
    "asks": Branches((Do(), Ask("q"))),
    "echoes": Branches((Do(),)),
}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Running]:
    """An instance with a runner."""
    async with running(tmp_path / "here", Stage(SCRIPTS, {"echo": always(Acted())})) as stage:
        yield stage


async def lived(stage: Running) -> RunId:
    """A run with a child, an answer, a time, a large input and an artifact, that has ended."""
    cells: dict[str, Json] = {"in/large": "x" * 200_000, "in/small": 1}
    run_id = await stage.start(cells=cells, deadline=Deadline(FAR, RunId(new_id())))
    await stage.until_so(run_id, lambda one: one.waiting is not None and one.waiting["wait_key"] == "q")  # fmt: skip
    await stage.plane.artifacts.put(b"kept", owner=run_id, content_type="text/plain", at="2026")
    await stage.settled(await stage.send(run_id, "resume", "q", {"response": "yes"}))  # type: ignore[arg-type]  # a key is text
    await stage.until(run_id)
    return run_id


async def packed(runtime: RuntimeContext, run_id: RunId) -> bytes:
    """The export of a run."""
    return b"".join([piece async for piece in await export(runtime, run_id)])


@pytest.mark.parametrize("database", DATABASES)
async def test_a_run_is_taken_in_verified_and_replayed_on_either_store(
    here: Running, tmp_path: Path, database: Any
) -> None:
    run_id = await lived(here)
    content = await packed(here.runtime, run_id)
    async with a_store(database, tmp_path / "there") as store:
        there = beside(here, store.plane)
        taken = await take_in(there, io.BytesIO(content))
        assert [(one.new, one.replayed.difference) for one in taken] == [(True, None)] * 2
        for one in taken:
            assert (await there.plane.runs.verify(one.replayed.run_id)).ok
        assert await ledger_of(there, run_id) == await ledger_of(here.runtime, run_id)
        seq = (await here.plane.runs.header(run_id)).seq
        for at in (0, seq):
            assert await there.plane.runs.state(run_id, at) == await here.plane.runs.state(
                run_id, at
            )
        again = await take_in(there, io.BytesIO(content))
        assert not any(one.new for one in again), "twice is as good as once"
        assert (await packed(there, run_id)) == content
        header = await there.plane.runs.header(run_id)
        assert header.birth.deadline is not None and header.birth.deadline.at == FAR
        assert await there.plane.next_due() is None


def beside(here: Running, plane: Any) -> RuntimeContext:
    """Another instance with the same programs, on another plane, and no runner."""
    runtime = here.runtime
    return RuntimeContext(
        runtime.tenant, runtime.runtime, plane, runtime.hub, registry_of([here.stage.feature()], {}),
        runtime.clock, runtime.http, runtime.workspaces,
    )  # fmt: skip


async def ledger_of(runtime: RuntimeContext, run_id: RunId) -> Any:
    """Every record, byte for byte."""
    return list(await runtime.plane.runs.ledger(run_id, after=0, limit=10_000))


async def test_a_flipped_byte_is_named(here: Running) -> None:
    run_id = await lived(here)
    content = await packed(here.runtime, run_id)
    with ZipFile(io.BytesIO(content)) as archive:
        lines = archive.read(f"runs/{run_id}/ledger.jsonl")
    third = content.index(lines) + lines.index(b'"seq":3') + 100
    with pytest.raises(Unfit, match=f"Record 3 of run {run_id} is not what was written"):
        await take_in(here.runtime, io.BytesIO(flipped(content, third)))
    large = content.index(b'"xxxx') + 50
    with pytest.raises(Unfit, match=rf"runs/{run_id}/cells.json is not"):
        await take_in(here.runtime, io.BytesIO(flipped(content, large)))
    chance = Random(7)
    for _ in range(60):
        with pytest.raises(Unfit):
            at = chance.randrange(len(content))
            await take_in(here.runtime, io.BytesIO(flipped(content, at)))
    with pytest.raises(Unfit):
        await take_in(here.runtime, io.BytesIO(content[:-100]))


def flipped(content: bytes, at: int) -> bytes:
    """The bytes with one of them changed by one bit."""
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


async def test_a_run_that_had_not_ended_moves_no_more_and_goes_on_in_a_fork(
    here: Running, tmp_path: Path
) -> None:
    run_id = await here.start("asks")
    await here.until(run_id, Status.WAITING)
    content = await packed(here.runtime, run_id)
    async with running(tmp_path / "there", here.stage) as there:
        await take_in(there.runtime, io.BytesIO(content))
        header = await there.plane.runs.header(run_id)
        assert (header.status, header.seq) == (Status.CANCELLED, 3)
        loaded: Loaded = (await there.plane.runs.load([run_id]))[run_id]
        assert loaded.run.open == {}
        assert (await replay(there.runtime, run_id)).difference is None
        forked = await fork(there.runtime, run_id, ForkRequest(3))
        await there.until(forked.run_id, Status.WAITING)
        await there.send(forked.run_id, "resume", "q", {"response": "yes"})  # type: ignore[arg-type]  # a key is text
        await there.until(forked.run_id)


@pytest.mark.parametrize("named", ["$artifact", "artifact_id"])
async def test_a_fork_of_a_fork_comes_with_what_it_may_read_and_without_its_origins(
    here: Running, tmp_path: Path, named: str
) -> None:
    run_id = await here.start("asks")
    await here.until(run_id, Status.WAITING)
    kept = await here.plane.artifacts.put(b"k", owner=run_id, content_type="text/plain", at="2026")
    edits = {"var/file": {named: kept.id}}
    first = await fork(here.runtime, run_id, ForkRequest(edits=edits))
    await here.until(first.run_id, Status.WAITING)
    second = await fork(here.runtime, first.run_id, ForkRequest())
    content = await packed(here.runtime, second.run_id)
    async with a_store("sqlite", tmp_path / "there") as store:
        there = beside(here, store.plane)
        await take_in(there, io.BytesIO(content))
        for again in (second.run_id, (await fork(there, second.run_id, ForkRequest())).run_id):
            assert (await artifacts.get(there, again, kept.id)).sha256 == kept.sha256
        with pytest.raises(RunNotFound):
            await there.plane.runs.header(first.run_id)


async def test_another_run_of_the_same_id_stays_as_it_is(here: Running, tmp_path: Path) -> None:
    run_id = await here.start("asks")
    await here.until(run_id, Status.WAITING)
    content = await packed(here.runtime, run_id)
    await here.send(run_id, "resume", "q", {"response": "yes"})  # type: ignore[arg-type]  # a key is text
    await here.until(run_id)
    before = await ledger_of(here.runtime, run_id)
    with pytest.raises(RunExists):
        await take_in(here.runtime, io.BytesIO(content))
    assert await ledger_of(here.runtime, run_id) == before


CRAFTED: list[Any] = [
    [], {"format": FORMAT}, {"format": FORMAT, "runs": [1], "entries": {}, "artifacts": []},
    {"format": FORMAT, "runs": [{"run_id": "r", "head_hash": "00"}], "entries": {}, "artifacts": []},
    {"format": FORMAT, "runs": [], "entries": [], "artifacts": []},
    {"format": FORMAT, "runs": [], "entries": {}, "artifacts": [{"id": 1}]},
    {"format": FORMAT, "runs": [], "entries": {}, "artifacts": [{"id": "a", "sha256": "b"}]},
]  # fmt: skip


@pytest.mark.parametrize("manifest", CRAFTED)
async def test_a_manifest_that_says_no_run_is_refused(here: Running, manifest: Any) -> None:
    packing = Packing()
    content = b"".join(packing.add(MANIFEST, iter([orjson.dumps(manifest)]))) + packing.close()
    with pytest.raises(Unfit):
        await take_in(here.runtime, io.BytesIO(content))


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x05\x06" + bytes(18)])
async def test_what_is_no_export_is_refused(here: Running, content: bytes) -> None:
    with pytest.raises(Unfit):
        await take_in(here.runtime, io.BytesIO(content))
    with pytest.raises(RunNotFound):
        await export(here.runtime, RunId("nobody"))


# --- what a forger may write, with every digest right ------------------------------------------------

STRANGE: list[Json] = [None, True, -1, 2**40, 2**70, 1e308, "x", "../..", "a\0b", "", [], [1], {}, {"a": 1}]  # fmt: skip


def forged(content: bytes, path: list[Any], value: Json) -> bytes:
    """The same export with another value at a place of its manifest, and every digest made anew."""
    packing, out = Packing(), b""
    with ZipFile(io.BytesIO(content)) as zipped:
        manifest = orjson.loads(zipped.read(MANIFEST))
        for name in manifest["entries"]:
            out += b"".join(packing.add(name, iter([zipped.read(name)])))
    place = manifest["runs"][0]["header"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    out += b"".join(packing.add(MANIFEST, iter([_wide(manifest)])))
    return out + packing.close()


def _wide(value: Json) -> bytes:
    """JSON with numbers that orjson does not write."""
    return json.dumps(value).encode()


def places(told: Json, path: tuple[Any, ...] = ()) -> list[list[Any]]:
    """Every place in a value."""
    below = told.items() if isinstance(told, dict) else enumerate(told) if isinstance(told, list) else ()  # fmt: skip
    return [[*path, key] for key, _ in below] + [it for key, one in below for it in places(one, (*path, key))]  # fmt: skip


@pytest.mark.parametrize("database", DATABASES)
async def test_what_a_forger_writes_is_refused_or_harmless(
    here: Running, tmp_path: Path, database: Any
) -> None:
    run_id = await here.start("asks", deadline=Deadline(FAR, RunId(new_id())))
    await here.until(run_id, Status.WAITING)
    content = await packed(here.runtime, run_id)
    with ZipFile(io.BytesIO(content)) as zipped:
        header = orjson.loads(zipped.read(MANIFEST))["runs"][0]["header"]
    async with a_store(database, tmp_path / "there") as store:
        there = beside(here, store.plane)
        for path in places(header):
            for value in STRANGE:
                with suppress(Unfit, RunExists):
                    await take_in(there, io.BytesIO(forged(content, path, value)))
        for one in (
            await store.plane.runs.list(RunQuery(limit=100, hidden=True, drafts=True))
        ).items:
            assert is_run_id(one.birth.id)


TIME = "2026-01-01T00:00:00.000000+00:00"
FORGED_RECORDS: list[tuple[str, str, Json]] = [
    ("detail", "events", ["x"]), ("detail", "events", [[TIME]]), ("detail", "events", [[TIME, "sung"]]),
    ("detail", "events", [[TIME, "hold", 5]]), ("detail", "events", [[TIME, "hold", "a", "b"]]),
    ("detail", "events", [["soon", "release"]]), ("detail", "gone", [[1]]), ("body", "started_at", "soon"),
    ("body", "ended_at", 5), ("body", "idempotency_key", [1]), ("body", "effect", {"payload": 1}),
    ("body", "effect", {"type": "resume", "payload": None}), ("body", "effect", {"type": "echo"}),
]  # fmt: skip


def with_record(content: bytes, part: str, name: str, value: Json) -> bytes:
    """The same export with another value in its last record, and every digest made anew."""
    packing, out, head = Packing(), b"", GENESIS
    with ZipFile(io.BytesIO(content)) as zipped:
        manifest = orjson.loads(zipped.read(MANIFEST))
        (run,) = manifest["runs"]
        ledger = f"runs/{run['run_id']}/ledger.jsonl"
        lines = [orjson.loads(line) for line in zipped.read(ledger).splitlines()]
        lines[-1][part] = orjson.dumps({**orjson.loads(lines[-1][part]), name: value}).decode()
        for line in lines:
            texts = line["body"].encode(), line["detail"].encode()
            head = hash_of(head, RunId(run["run_id"]), line["seq"], *texts)
            line["hash"] = run["head_hash"] = head.hex()
        told = {name: zipped.read(name) for name in manifest["entries"]}
    told[ledger] = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
    for entry, piece in told.items():
        out += b"".join(packing.add(entry, iter([piece])))
    manifest["entries"] = dict(packing.entries)
    out += b"".join(packing.add(MANIFEST, iter([orjson.dumps(manifest)])))
    return out + packing.close()


@pytest.mark.parametrize(("part", "name", "value"), FORGED_RECORDS)
async def test_a_record_that_no_ledger_has_is_named(
    here: Running, part: str, name: str, value: Json
) -> None:
    """Nothing of it is kept, where a replay or a history would fall over it for ever."""
    run_id = await here.start("echoes")
    await here.until(run_id)
    content = await packed(here.runtime, run_id)
    assert not (await take_in(here.runtime, io.BytesIO(content)))[0].new
    with pytest.raises(Unfit, match="is not what was written"):
        await take_in(here.runtime, io.BytesIO(with_record(content, part, name, value)))


def overlapping(content: bytes, times: int) -> bytes:
    """An export whose directory names one entry under several names."""
    file = io.BytesIO(content[:-SEAL_LETTERS])
    with ZipFile(file, "a") as archive:
        first = archive.infolist()[0]
        for n in range(times):
            again = copy(first)
            again.filename = f"{first.filename}-{n}"
            archive.filelist.append(again)
        archive.comment = b"0" * SEAL_LETTERS
    whole = file.getvalue()[:-SEAL_LETTERS]
    return whole + sha256(whole).hexdigest().encode()


async def test_what_names_its_bytes_more_than_once_is_not_read(here: Running) -> None:
    """A small file would be hashed for hours."""
    content = await packed(here.runtime, await lived(here))
    with pytest.raises(Unfit, match="lie over one another"):
        await take_in(here.runtime, io.BytesIO(overlapping(content, 3)))


async def test_a_bundle_of_another_name_is_refused_as_the_file_s_fault(here: Running) -> None:
    packing = Packing()
    content = b"".join(packing.add(f"bundles/{'0' * 64}", iter([b"no bundle"])))
    told = {"format": FORMAT, "runs": [], "artifacts": [], "entries": dict(packing.entries)}
    content += b"".join(packing.add(MANIFEST, iter([orjson.dumps(told)]))) + packing.close()
    with pytest.raises(Unfit, match="bundles/0000"):
        await take_in(here.runtime, io.BytesIO(content))


async def test_artifacts_that_come_along_count_as_those_that_are_sent(
    here: Running, tmp_path: Path
) -> None:
    content = await packed(here.runtime, await lived(here))
    async with a_store("sqlite", tmp_path / "there") as store:
        there = beside(here, store.plane)
        with pytest.raises(QuotaReached):
            await take_in(there, io.BytesIO(content), quota_bytes=3)
        assert not (await there.plane.runs.list(RunQuery())).items
        assert (await take_in(there, io.BytesIO(content), quota_bytes=10**6))[0].new


async def test_runs_of_which_each_is_said_to_be_above_the_other_lead_nobody_round(
    gateway: Gateway, tmp_path: Path
) -> None:
    runs = [await gateway.start("straight:main", prompt="Who?") for _ in range(2)]
    async with a_gateway(tmp_path / "there") as there:
        for run_id, above in zip(runs, reversed(runs), strict=True):
            await gateway.until(run_id, "completed")
            content = (await gateway.get(f"/runs/{run_id}/export")).content
            content = forged(content, ["birth", "parent_id"], above)
            with pytest.raises(Unfit):
                await take_in(there.runtime, io.BytesIO(content))
            content = forged(content, ["birth", "depth"], 1)
            assert (await take_in(there.runtime, io.BytesIO(content)))[0].new
        with anyio.fail_after(PATIENCE_S):
            for type in ("trigger_schedule", "compact_memory"):
                answer = await there.command(runs[0], type)
                assert answer.status_code == 409, answer.text
