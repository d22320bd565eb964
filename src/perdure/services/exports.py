"""A run and all below it in one file: ledgers as they are stored, cells, artifacts, bundles, and a digest of each.

The file is a zip of stored entries, made while it is sent. `manifest.json` comes last and names each
entry with its sha256; the comment of the zip is the sha256 of all the bytes before it.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from hashlib import sha256
from typing import IO, Final, cast
from zipfile import ZIP_STORED, ZipFile

import orjson
from msgspec.structs import asdict, astuple

from perdure.errors import ArtifactNotFound
from perdure.ids import ArtifactId, BundleSha, RunId
from perdure.kernel.values import Json
from perdure.runtimes.context import RuntimeContext
from perdure.services.history import descendants
from perdure.stores.artifacts import Artifact
from perdure.stores.records import Record
from perdure.stores.runs import Header

FORMAT: Final = "perdure-run/1"
MANIFEST: Final = "manifest.json"
SEAL_LETTERS: Final = 64
PAGE: Final = 200
_NAMED: Final = re.compile(rb'"(?:\$artifact|artifact_id)":"([^"\\]{1,256})"')


class Packing:
    """A zip on its way out: what was written since it was last taken, and what every entry came to."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._out: list[bytes] = []
        self._seen = sha256()
        self._zip = ZipFile(cast(IO[bytes], self), "w", ZIP_STORED)  # which writes, and no more
        self.entries: dict[str, str] = {}

    def write(self, piece: bytes) -> int:
        """Take what the zip writes."""
        self._out.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing is kept back."""

    def taken(self) -> bytes:
        """What came since the last time."""
        piece, self._out = b"".join(self._out), []
        self._seen.update(piece)
        return piece

    def add(self, name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Write an entry, piece by piece, and give out the bytes of the file."""
        digest = sha256()
        with self._zip.open(name, "w", force_zip64=True) as entry:
            for piece in pieces:
                digest.update(piece)
                entry.write(piece)
                yield self.taken()
        self.entries[name] = digest.hexdigest()
        yield self.taken()

    async def pour(self, name: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same, of pieces that are waited for."""
        digest = sha256()
        with self._zip.open(name, "w", force_zip64=True) as entry:
            async for piece in pieces:
                digest.update(piece)
                entry.write(piece)
                yield self.taken()
        self.entries[name] = digest.hexdigest()
        yield self.taken()

    def close(self) -> bytes:
        """The end of the file, with the digest of all of it."""
        self._zip.comment = b"0" * SEAL_LETTERS
        self._zip.close()
        last, self._out = b"".join(self._out)[:-SEAL_LETTERS], []
        self._seen.update(last)
        return last + self._seen.hexdigest().encode()


async def export(runtime: RuntimeContext, run_id: RunId) -> AsyncIterator[bytes]:
    """The file of a run and of the runs below it, piece by piece. Raises `RunNotFound` before the first."""
    header = await runtime.plane.runs.header(run_id)
    tree = [header, *await descendants(runtime, header)]
    return _exported(runtime, tree)


async def _exported(runtime: RuntimeContext, tree: list[Header]) -> AsyncIterator[bytes]:
    packing, contents = Packing(), Contents(tree[0].birth.id)
    for header in tree:
        async for piece in _run(runtime, packing, contents, header):
            yield piece
    for sha in sorted(contents.pinned):
        content = await runtime.plane.bundles.content(sha)
        for piece in packing.add(f"bundles/{sha}", iter([content])):
            yield piece
    for name in sorted(contents.named):
        async for piece in _artifact(runtime, packing, name, contents.artifacts):
            yield piece
    manifest = orjson.dumps(contents.told(packing.entries))
    for piece in packing.add(MANIFEST, iter([manifest])):
        yield piece
    yield packing.close()


class Contents:
    """What is in an export, as it becomes known."""

    def __init__(self, root: RunId) -> None:
        """Begin with nothing of the tree of `root`."""
        self._root = root
        self.runs: list[Json] = []
        self.artifacts: list[Json] = []
        self.named: set[str] = set()
        self.pinned: set[BundleSha] = set()

    def told(self, entries: Mapping[str, str]) -> dict[str, Json]:
        """The manifest."""
        return {
            "format": FORMAT, "root": self._root, "runs": self.runs, "artifacts": self.artifacts,
            "entries": dict(entries),
        }  # fmt: skip


async def _run(
    runtime: RuntimeContext, packing: Packing, contents: Contents, header: Header
) -> AsyncIterator[bytes]:
    """The cells and the ledger of one run; what else they need is noted in `contents`."""
    run_id, bundle = header.birth.id, header.birth.program.bundle
    cells = orjson.dumps(dict(await runtime.plane.runs.state(run_id, 0)))
    for piece in packing.add(f"runs/{run_id}/cells.json", iter([cells])):
        yield piece
    ledger = Ledger(runtime, run_id, header.seq)
    async for piece in packing.pour(f"runs/{run_id}/ledger.jsonl", ledger.lines()):
        yield piece
    owned = [artifact.id async for artifact in _owned(runtime, run_id)]
    contents.named.update(ledger.named, _names_in(cells), owned)
    contents.pinned.update(() if bundle is None else (bundle,))
    contents.runs.append({
        "run_id": run_id, "head_hash": ledger.head.hex(), "header": _told(header),
    })  # fmt: skip


class Ledger:
    """The lines of a ledger, and what is seen while they go out."""

    def __init__(self, runtime: RuntimeContext, run_id: RunId, upto: int) -> None:
        """Go as far as `upto`: what comes later is in another export."""
        self._runtime, self._run_id, self._upto = runtime, run_id, upto
        self.named: set[str] = set()
        self.head = bytes(32)

    async def lines(self) -> AsyncIterator[bytes]:
        """A line for each record."""
        after = 0
        while after < self._upto:
            limit = min(PAGE, self._upto - after)
            page = await self._runtime.plane.runs.ledger(self._run_id, after=after, limit=limit)
            for record in page:
                self.named.update(_names_in(record.body), _names_in(record.detail))
                self.head, after = record.hash, record.seq
                yield line_of(record)


def line_of(record: Record) -> bytes:
    """A record as a line: its stored bytes as texts, so that not one of them changes."""
    told = {
        "seq": record.seq, "hash": record.hash.hex(), "body": record.body.decode(),
        "detail": record.detail.decode(),
    }  # fmt: skip
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def _names_in(content: bytes) -> Iterator[str]:
    """The artifacts that bytes name."""
    return (found.decode() for found in _NAMED.findall(content))


async def _owned(runtime: RuntimeContext, run_id: RunId) -> AsyncIterator[Artifact]:
    offset = 0
    while True:
        items, total = await runtime.plane.artifacts.list([run_id], limit=PAGE, offset=offset)
        for item in items:
            yield item
        offset += PAGE
        if offset >= total:
            return


async def _artifact(
    runtime: RuntimeContext, packing: Packing, name: str, told: list[Json]
) -> AsyncIterator[bytes]:
    """The bytes of an artifact, once for all that have them; one that is not there is left out."""
    try:
        artifact = await runtime.plane.artifacts.get(ArtifactId(name))
    except ArtifactNotFound:
        return
    told.append({
        "id": artifact.id, "owner": artifact.owner, "sha256": artifact.sha256,
        "content_type": artifact.content_type, "created_at": artifact.created_at, "tags": dict(artifact.tags),
        "kind": artifact.kind, "session_id": artifact.session_id,
        "made_by": None if artifact.made_by is None else list(artifact.made_by),
    })  # fmt: skip
    if f"artifacts/{artifact.sha256}" not in packing.entries:
        pieces = runtime.plane.artifacts.read(artifact)
        async for piece in packing.pour(f"artifacts/{artifact.sha256}", pieces):
            yield piece


def _told(header: Header) -> Json:
    """What a run is, and where it stood."""
    birth = header.birth
    return {
        "birth": {
            **asdict(birth), "program": list(birth.program), "limits": asdict(birth.limits),
            "forked_from": None if birth.forked_from is None else list(birth.forked_from),
            "guard": None if birth.guard is None else birth.guard.value,
            "deadline": None if birth.deadline is None else list(birth.deadline),
        },
        "version": header.version, "status": header.status.value, "node_id": header.node_id,
        "updated_at": header.updated_at, "seq": header.seq, "error": header.error, "output": header.output,
        "usage": list(astuple(header.usage)), "warnings": list(header.warnings),
    }  # fmt: skip
