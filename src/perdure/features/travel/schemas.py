"""Time travel on the wire."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from perdure.api.schemas.fields import Body, Id, JsonObject, Words
from perdure.api.schemas.runs import ForkedFrom
from perdure.ids import RunId
from perdure.kernel.limits import INTEGER_MAX
from perdure.kernel.model import Guard
from perdure.kernel.values import Json
from perdure.services.births import StartRequest
from perdure.services.bookmarks import BookmarkPage, Mark
from perdure.services.diffs import CELLS_MAX, Diff
from perdure.services.forks import Forked, ForkRequest
from perdure.services.imports import Imported
from perdure.services.replays import VERIFIED_MAX, Replayed
from perdure.stores.bookmarks import Bookmark, BookmarkQuery

ARCHIVE: Final = "application/zip"
EDITS_MAX = 1_000
TAGS_MAX = 20

SeqField = Annotated[int, Field(ge=0, le=INTEGER_MAX)]
Version = Annotated[str, Field(max_length=128)]
Tag = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
EFFECTS = (
    "`ask`: what must not happen twice waits for a person; `reuse`: as before where the same was asked;"
    " `simulate`: nothing is performed; `rerun`: all is performed anew"
)


class RestoreRun(Body):
    """How a run goes on in a fork."""

    edits: JsonObject = Field(
        default_factory=dict, max_length=EDITS_MAX, description="Cells by name: in/…, var/…, out/…, msg/…"
    )  # fmt: skip
    bundle_version: Version | None = Field(
        None, description="Go on with this version of the bundle"
    )
    effects: Guard = Field(Guard.ASK, strict=False, description=EFFECTS)
    outcomes: JsonObject = Field(
        default_factory=dict, max_length=EDITS_MAX,
        description="For `simulate`: what an effect of a node comes to, by the node's id",
    )  # fmt: skip

    def request(self, key: str | None, from_seq: int | None = None) -> ForkRequest:
        """The fork that is asked for, under the client's key."""
        return ForkRequest(
            from_seq, self.edits, self.bundle_version, self.effects, self.outcomes, key
        )


class ForkRun(RestoreRun):
    """From which record a run goes on in a fork, and how."""

    from_seq: SeqField | None = Field(
        None, description="A record; where the run stands now without"
    )

    def asked(self, key: str | None) -> ForkRequest:
        """The fork that is asked for, under the client's key."""
        return self.request(key, self.from_seq)


class ForkedRun(BaseModel):
    """A fork, and the moment that it goes on from: the last at which the run stood whole."""

    run_id: str
    forked_from: ForkedFrom


class RecordDifference(BaseModel):
    """The first record that comes out otherwise: which part, as it was and as it would be."""

    seq: int
    part: str
    recorded: Any
    decided: Any


class RunReplay(BaseModel):
    """What came of a ledger that was decided again."""

    run_id: str
    records: int = Field(description="How many came out as they were")
    result: Literal["identical", "divergent"]
    difference: RecordDifference | None


class VerifyBundle(Body):
    """A version of a bundle, and the runs whose ledgers are held against it."""

    bundle_version: Version
    flow_id: Id | None = None
    runs: list[Id] = Field(
        default_factory=list, max_length=VERIFIED_MAX, description="The newest of the flow without"
    )  # fmt: skip
    limit: int = Field(100, ge=1, le=VERIFIED_MAX)

    def request(self, bundle_id: str) -> StartRequest:
        """The flow as that version has it."""
        return StartRequest(
            {}, bundle_id=bundle_id, bundle_version=self.bundle_version, flow_id=self.flow_id
        )

    def run_ids(self) -> list[RunId]:
        """The runs that are named."""
        return [RunId(run_id) for run_id in self.runs]


class BundleVerified(BaseModel):
    """Whether runs would have done the same under another version."""

    compatible: bool
    checked: int
    identical: int
    divergent: list[RunReplay]


class AskDiff(BaseModel):
    """Between which records, and how many cells at most."""

    model_config = ConfigDict(populate_by_name=True)

    before: int = Field(alias="from", ge=0, le=INTEGER_MAX)
    after: int | None = Field(
        None, alias="to", ge=0, le=INTEGER_MAX, description="The last record without"
    )
    limit: int = Field(200, ge=1, le=CELLS_MAX)


class CellChange(BaseModel):
    """A cell that is not the same. A value of more than 16 KiB is `{"$large": bytes}`."""

    cell: str
    change: Literal["added", "removed", "changed"]
    before: Any
    after: Any


class RunDiff(BaseModel):
    """What changed between two records, by the name of the cell."""

    model_config = ConfigDict(populate_by_name=True)

    run_id: str
    before: int = Field(alias="from")
    after: int = Field(alias="to")
    cells: list[CellChange]
    left_out: int


class RunImported(RunReplay):
    """A run that was taken in; `new` unless it was here before."""

    new: bool


class RunsImported(BaseModel):
    """What was taken in, the root first, each decided again."""

    runs: list[RunImported]


class MakeBookmark(Body):
    """A moment to be named."""

    name: Annotated[Words, Field(min_length=1)]
    seq: SeqField | None = Field(None, description="A record; where the run stands now without")
    note: str = Field("", max_length=10_000)
    tags: list[Tag] = Field(default_factory=list, max_length=TAGS_MAX)

    def mark(self) -> Mark:
        """What is to be named, and how."""
        return Mark(self.name, self.seq, self.note, tuple(dict.fromkeys(self.tags)))


class BookmarkItem(BaseModel):
    """A moment of a run that somebody named."""

    bookmark_id: str
    run_id: str
    seq: int
    name: str
    note: str
    tags: list[str]
    created_at: str


class BookmarkList(BaseModel):
    """A page of bookmarks, newest first."""

    items: list[BookmarkItem]
    total: int
    limit: int
    offset: int


class AskPage(BaseModel):
    """Which page."""

    limit: int = Field(100, ge=1, le=1_000)
    offset: int = Field(0, ge=0, le=INTEGER_MAX)


class AskBookmarks(AskPage):
    """Which bookmarks to look for."""

    q: Words | None = Field(None, description="A part of a name, a note or a tag")
    tag: Words | None = Field(None, description="A whole tag")
    run_id: Id | None = None

    def query(self) -> BookmarkQuery:
        """What is looked for."""
        run_id = None if self.run_id is None else RunId(self.run_id)
        return BookmarkQuery(run_id, self.tag, self.q, self.limit, self.offset)


class Gone(BaseModel):
    """It is there no more."""

    ok: bool


def forked_of(forked: Forked) -> dict[str, Json]:
    """A fork."""
    return {"run_id": forked.run_id, "forked_from": forked.forked_from._asdict()}


def replay_of(replayed: Replayed) -> dict[str, Json]:
    """What came of one ledger."""
    difference = replayed.difference
    return {
        "run_id": replayed.run_id,
        "records": replayed.records,
        "result": "identical" if difference is None else "divergent",
        "difference": None if difference is None else difference._asdict(),
    }


def verified_of(replayed: list[Replayed]) -> dict[str, Json]:
    """What came of many ledgers."""
    divergent = [replay_of(one) for one in replayed if one.difference is not None]
    return {
        "compatible": not divergent,
        "checked": len(replayed),
        "identical": len(replayed) - len(divergent),
        "divergent": divergent,
    }


def imported_of(imported: Sequence[Imported]) -> dict[str, Json]:
    """What was taken in."""
    return {"runs": [{**replay_of(one.replayed), "new": one.new} for one in imported]}


def headers_of(run_id: RunId) -> dict[str, str]:
    """The headers of an export, by which it is saved as a file."""
    name = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in run_id)
    return {
        "content-type": ARCHIVE,
        "content-disposition": f'attachment; filename="run-{name}.zip"',
        "x-content-type-options": "nosniff",
    }


def diff_of(diff: Diff) -> dict[str, Json]:
    """What changed between two records."""
    return {
        "run_id": diff.run_id,
        "from": diff.before,
        "to": diff.after,
        "cells": [
            {"cell": one.name, "change": one.how, "before": one.before, "after": one.after}
            for one in diff.cells
        ],
        "left_out": diff.left_out,
    }


def bookmark_of(bookmark: Bookmark) -> dict[str, Json]:
    """A bookmark."""
    return {
        "bookmark_id": bookmark.id, "run_id": bookmark.run_id, "seq": bookmark.seq, "name": bookmark.name,
        "note": bookmark.note, "tags": list(bookmark.tags), "created_at": bookmark.created_at,
    }  # fmt: skip


def bookmarks_of(page: BookmarkPage) -> dict[str, Json]:
    """A page of bookmarks."""
    return {
        "items": [bookmark_of(one) for one in page.items],
        "total": page.total,
        "limit": page.query.limit,
        "offset": page.query.offset,
    }
