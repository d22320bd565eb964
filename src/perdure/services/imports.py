"""A run that was lived elsewhere, taken in: every byte held against what was written, then decided again.

It is kept as it was and moves no more: one that had not ended goes on in a fork.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from hashlib import sha256
from io import SEEK_END
from struct import Struct
from typing import BinaryIO, Final, NamedTuple
from zipfile import BadZipFile, ZipFile, ZipInfo

import orjson
from msgspec.structs import replace

from perdure.bundles.codec import read_bundle
from perdure.clock import text_of
from perdure.errors import Unfit
from perdure.identity.audit import Entry
from perdure.ids import BundleSha, RunId
from perdure.kernel.limits import Limits
from perdure.kernel.model import (
    TERMINAL,
    Birth,
    Deadline,
    Guard,
    Point,
    ProgramRef,
    Run,
    Status,
    Usage,
)
from perdure.kernel.values import Json
from perdure.registry.registry import Registry
from perdure.runtimes.context import RuntimeContext
from perdure.services.exports import FORMAT, MANIFEST, SEAL_LETTERS
from perdure.services.replays import Replayed, replay
from perdure.services.shapes import (
    check_artifact,
    check_header,
    check_record,
    read_json,
    read_object,
    values_of,
)
from perdure.stores.artifacts import Maker, Named
from perdure.stores.records import GENESIS, Record, apply_detail, hash_of
from perdure.stores.runs import Adopted

PIECE: Final = 1024 * 1024
MANIFEST_BYTES_MAX: Final = 64 * 1024 * 1024
NOT_ENDED: Final = "it had not ended when it was exported: go on in a fork"
_LENGTHS: Final = Struct(
    "<26xHH"
).unpack  # of a local header: of its name, and of what follows that


class Imported(NamedTuple):
    """A run that was taken in, and what came of it when it was decided again; `new` unless it was here."""

    replayed: Replayed
    new: bool


class Archive:
    """An export, opened: nothing of it is believed before it was held against its digest."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the directory and the manifest. Raises `Unfit`, which names what is not as it was written."""
        self._file = file
        try:
            listed = ZipFile(file).infolist()
        except (BadZipFile, ValueError, OSError, NotImplementedError) as broken:
            raise Unfit(f"The file is no export, or its directory is not what was written: {broken}.") from None  # fmt: skip
        self.infos = {info.filename: info for info in listed}
        # Else a small file could name the same bytes again and again, and be hashed for hours.
        named = sum(info.file_size for info in listed)
        if named > file.seek(0, SEEK_END) or len(self.infos) < len(listed):
            raise Unfit("The file is no export: its entries lie over one another.")
        if MANIFEST not in self.infos:
            raise Unfit("The file is no export: it has no manifest.")
        self.manifest = self._read_manifest()
        self.entries: Mapping[str, str] = self.manifest["entries"]

    def _read_manifest(self) -> Mapping[str, Json]:
        try:
            manifest: Mapping[str, Json] = orjson.loads(self.whole(MANIFEST, MANIFEST_BYTES_MAX))
            if manifest["format"] != FORMAT:
                raise Unfit(f"The file is an export of another form: {manifest['format']!r}.")
            runs, entries, artifacts = manifest["runs"], manifest["entries"], manifest["artifacts"]
            for run in runs:
                str.encode(run["run_id"]), str.encode(run["head_hash"])
            for texts in (*entries.items(), *((it["id"], it["sha256"]) for it in artifacts)):
                str.encode(texts[0]), str.encode(texts[1])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unfit(f"{MANIFEST} is not what was written.") from None
        return manifest

    def pieces(self, name: str) -> Iterator[bytes]:
        """The stored bytes of an entry, as they lie there."""
        info = self.infos.get(name)
        if info is None:
            raise Unfit(f"{name} is missing.")
        self._file.seek(self._begin(info))
        left = info.file_size
        while left > 0:
            piece = self._file.read(min(PIECE, left))
            if not piece:
                raise Unfit(f"{name} is cut off.")
            left -= len(piece)
            yield piece

    def _begin(self, info: ZipInfo) -> int:
        self._file.seek(info.header_offset)
        head = self._file.read(30)
        if len(head) < 30:
            raise Unfit(f"{info.filename} is cut off.")
        name, extra = _LENGTHS(head)
        return info.header_offset + 30 + int(name) + int(extra)

    def whole(self, name: str, most: int | None = None) -> bytes:
        """All of an entry."""
        if most is not None and name in self.infos and self.infos[name].file_size > most:
            raise Unfit(f"{name} is larger than {most} bytes.")
        return b"".join(self.pieces(name))

    def check(self) -> None:
        """Hold every record, every entry and the file against what was written. Raises `Unfit`, naming it."""
        for run in self.manifest["runs"]:
            for _ in self.records(RunId(run["run_id"]), run["head_hash"]):
                pass
        for name, digest in self.entries.items():
            found = sha256()
            for piece in self.pieces(name):
                found.update(piece)
            if found.hexdigest() != digest:
                raise Unfit(f"{name} is not what was written.")
        if self.infos.keys() != {*self.entries, MANIFEST}:
            raise Unfit("The directory of the file is not what was written.")
        self._check_seal()

    def _check_seal(self) -> None:
        size = self._file.seek(0, SEEK_END) - SEAL_LETTERS
        self._file.seek(0)
        seen, left = sha256(), size
        while left > 0:
            piece = self._file.read(min(PIECE, left))
            seen.update(piece)
            left -= len(piece)
        if self._file.read() != seen.hexdigest().encode():
            raise Unfit("The frame of the file is not what was written.")

    def records(self, run_id: RunId, head: str) -> Iterator[Record]:
        """The records of a run, each chained to the one before. Raises `Unfit`, naming the first that is not."""
        previous, seq = GENESIS, 0
        for line in _lines(self.pieces(f"runs/{run_id}/ledger.jsonl")):
            seq += 1
            try:
                told = orjson.loads(line)
                body, detail = told["body"].encode(), told["detail"].encode()
                digest, number = bytes.fromhex(told["hash"]), told["seq"]
                check_record(read_object(body), read_object(detail))
            except (ValueError, KeyError, TypeError, AttributeError):
                raise _broken(run_id, seq) from None
            expected = hash_of(previous, run_id, seq, body, detail)
            if (digest, number) != (expected, seq):
                raise _broken(run_id, seq)
            yield Record(seq, body, detail, previous, digest)
            previous = digest
        if previous.hex() != head:
            raise _broken(run_id, seq)


def _broken(run_id: RunId, seq: int) -> Unfit:
    return Unfit(f"Record {seq} of run {run_id} is not what was written.", run_id=run_id, seq=seq)


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        yield rest


async def take_in(
    runtime: RuntimeContext, file: BinaryIO, entry: Entry | None = None, quota_bytes: int | None = None
) -> list[Imported]:  # fmt: skip
    """Keep the runs of an export and decide them again. Raises `Unfit` for a byte that is not as it was written.

    Raises `BundleRefused` for a bundle that is none, `RunExists` where another run has the id of one of
    them, and `QuotaReached` where its artifacts are too many beside those that are here. Twice is as good as once.
    """
    archive = await asyncio.to_thread(Archive, file)
    await asyncio.to_thread(archive.check)
    try:
        named = {
            told["id"]: (_named(told, quota_bytes), told["sha256"])
            for told in archive.manifest["artifacts"]
        }
        adopted = await asyncio.to_thread(_all_adopted, archive, runtime.registry)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unfit("The file does not say what a run is.") from None
    for name in archive.entries:
        if name.startswith("bundles/"):
            pinned = BundleSha(name.removeprefix("bundles/"))
            if archive.entries[name] != pinned:
                raise Unfit(f"{name} is not what was written.")
            content = await asyncio.to_thread(archive.whole, name)
            await asyncio.to_thread(read_bundle, content)  # each look through the runs reads it
            await runtime.plane.bundles.keep(content, pinned)
    for artifact_id, (how, sha) in named.items():
        await _keep(runtime, archive, artifact_id, how, sha)
    at = text_of(runtime.clock.now())
    new = []
    for one in adopted:
        noted = None if entry is None else entry._replace(at=at, target=one.run.id)
        new.append(await runtime.plane.runs.adopt(replace(one, entry=noted)))
    replayed = [await replay(runtime, one.run.id) for one in adopted]
    return [Imported(*pair) for pair in zip(replayed, new, strict=True)]


def _named(told: Mapping[str, Json], quota_bytes: int | None) -> Named:
    """How an artifact was known."""
    check_artifact(told)
    made = told["made_by"]
    return Named(
        owner=told["owner"], content_type=told["content_type"], at=told["created_at"], tags=dict(told["tags"]),
        made_by=None if made is None else Maker(*made), session_id=told["session_id"], kind=told["kind"],
        quota_bytes=quota_bytes,
    )  # fmt: skip


async def _keep(
    runtime: RuntimeContext, archive: Archive, artifact_id: str, named: Named, sha: str
) -> None:
    """Keep the bytes of an artifact under its own id."""
    async with runtime.plane.artifacts.incoming() as incoming:
        async for piece in _awaited(archive.pieces(f"artifacts/{sha}")):
            await incoming.write(piece)
        kept = await incoming.keep(named)
    if kept.id != artifact_id:
        raise Unfit(f"The artifact {artifact_id} has another id by its bytes.")


async def _awaited(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece


def _all_adopted(archive: Archive, registry: Registry) -> list[Adopted]:
    adopted = [_adopted(archive, told) for told in archive.manifest["runs"]]
    for one in adopted:
        _check_cells(one, registry)
    _check_there(archive, adopted)
    return adopted


def _check_cells(one: Adopted, registry: Registry) -> None:
    """Hold the cells of a run against what its kind of program keeps, where others are shown them."""
    check = registry.checks.get(one.run.birth.program.kind)
    if check is None:
        return
    cells = dict(one.cells)
    for record in one.records:
        apply_detail(cells, orjson.loads(record.detail))
    check(one.run.birth, cells)


def _check_there(archive: Archive, adopted: Sequence[Adopted]) -> None:
    """Miss no bundle of a run, and no artifact without which a record cannot be read. Raises `Unfit`."""
    kept = {told["id"]: f"artifacts/{told['sha256']}" for told in archive.manifest["artifacts"]}
    names: set[str] = set()
    for one in adopted:
        bundle = one.run.birth.program.bundle
        if bundle is not None and f"bundles/{bundle}" not in archive.entries:
            raise Unfit(f"bundles/{bundle} is missing, and run {one.run.id} is pinned to it.")
        for record in one.records:
            for artifact_id in values_of(orjson.loads(record.detail)):
                if artifact_id not in kept:
                    raise Unfit(f"The artifact {artifact_id} is missing, and record {record.seq} of run {one.run.id} needs it.")  # fmt: skip
                names.add(kept[artifact_id])
    for name in names:
        read_json(archive.whole(name))


def _adopted(archive: Archive, told: Mapping[str, Json]) -> Adopted:
    """A run as it is to be kept. Raises `ValueError` and its like for what is none."""
    header = told["header"]
    check_header(header)
    birth = _birth(header["birth"])
    status = Status(header["status"])
    ended = status in TERMINAL
    run = Run(
        birth=birth, version=header["version"], status=status if ended else Status.CANCELLED,
        seq=header["seq"], updated_at=header["updated_at"], ready=False, node_id=header["node_id"],
        error=header["error"] if ended else NOT_ENDED, output=header["output"], usage=Usage(*header["usage"]),
        warnings=tuple(header["warnings"]),
    )  # fmt: skip
    cells = read_object(archive.whole(f"runs/{birth.id}/cells.json"))
    records = tuple(archive.records(birth.id, told["head_hash"]))
    if len(records) != run.seq or birth.id != told["run_id"]:
        raise Unfit(f"{MANIFEST} does not fit the ledger of run {birth.id}.")
    return Adopted(run, cells, records)


def _birth(told: Mapping[str, Json]) -> Birth:
    guard, point, deadline = told["guard"], told["forked_from"], told.get("deadline")
    return Birth(**{
        **told,
        "program": ProgramRef(*told["program"]),
        "limits": Limits(**told["limits"]),
        "forked_from": None if point is None else Point(*point),
        "guard": None if guard is None else Guard(guard),
        "deadline": None if deadline is None else Deadline(*deadline),
    })  # fmt: skip
