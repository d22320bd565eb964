"""`/runs/…/fork`, `/replay`, `/diff`, `/export`, `/bookmarks`: the past of runs, opened and gone on from."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import File, Query, Response, UploadFile
from fastapi.responses import StreamingResponse

from perdure.api.artifacts import CurrentBounds
from perdure.api.deps import CurrentRuntime, EntryInside, NewCommand, require
from perdure.api.routing import answers, json_of, refusals, resource
from perdure.api.schemas.fields import NamePath, RunIdPath
from perdure.features.travel import schemas as shown
from perdure.identity.access import ADMIN, USER, Recorded, Rule, rule
from perdure.services import bookmarks, diffs, exports, forks, imports, replays
from perdure.stores.bookmarks import BookmarkQuery

ACTIONS: Final[Mapping[str, Rule]] = {
    "run:fork": rule(USER, ADMIN, audited=True, recorded=Recorded.INSIDE),
    "run:replay": rule(USER, ADMIN),
    "run:export": rule(USER, ADMIN),
    "run:import": rule(USER, ADMIN, audited=True, recorded=Recorded.INSIDE),
    "bookmark:read": rule(USER, ADMIN),
    "bookmark:write": rule(USER, ADMIN, audited=True, recorded=Recorded.INSIDE),
}


class Archive(Response):
    """The kind of body that an export is, for the document of the API."""

    media_type = shown.ARCHIVE


router = resource("travel")


@router.post(
    "/runs/{run_id}/fork",
    dependencies=[require("run:fork")],
    responses=answers(shown.ForkedRun, 404, 409, body=True),
)
async def fork_run(
    run_id: RunIdPath,
    body: shown.ForkRun,
    runtime: CurrentRuntime,
    key: NewCommand,
    entry: EntryInside,
) -> Response:
    """Go on from a record of a run in a fork, which repeats nothing that must not happen twice."""
    return json_of(shown.forked_of(await forks.fork(runtime, run_id, body.asked(key), entry)))


@router.get(
    "/runs/{run_id}/export",
    dependencies=[require("run:export")],
    responses=refusals(404),
    response_class=Archive,
)
async def export_run(run_id: RunIdPath, runtime: CurrentRuntime) -> Response:
    """Give a run and all below it in one file, which another instance verifies and replays."""
    pieces = await exports.export(runtime, run_id)
    return StreamingResponse(pieces, headers=shown.headers_of(run_id))


@router.post(
    "/runs/import",
    dependencies=[require("run:import")],
    responses=answers(shown.RunsImported, 409, 413, body=True),
)
async def import_run(
    file: Annotated[UploadFile, File()], runtime: CurrentRuntime, bounds: CurrentBounds, entry: EntryInside
) -> Response:  # fmt: skip
    """Take in runs that were lived elsewhere; a byte that is not as it was written is named."""
    found = await imports.take_in(runtime, file.file, entry, bounds.quota_bytes)
    return json_of(shown.imported_of(found))


@router.post(
    "/runs/{run_id}/replay",
    dependencies=[require("run:replay")],
    responses=answers(shown.RunReplay, 404, 409),
)
async def replay_run(run_id: RunIdPath, runtime: CurrentRuntime) -> Response:
    """Decide a whole ledger again from what it recorded, and say where it would come out otherwise."""
    return json_of(shown.replay_of(await replays.replay(runtime, run_id)))


@router.get(
    "/runs/{run_id}/diff", dependencies=[require("run:read")], responses=answers(shown.RunDiff, 404)
)
async def diff_run(
    run_id: RunIdPath, asked: Annotated[shown.AskDiff, Query()], runtime: CurrentRuntime
) -> Response:
    """Say which cells of a run changed between two of its records."""
    found = await diffs.diff(runtime, run_id, asked.before, asked.after, asked.limit)
    return json_of(shown.diff_of(found))


@router.post(
    "/bundles/{bundle_id}/verify",
    dependencies=[require("run:replay")],
    responses=answers(shown.BundleVerified, 404, 409, body=True),
)
async def verify_bundle(
    bundle_id: NamePath, body: shown.VerifyBundle, runtime: CurrentRuntime
) -> Response:
    """Say whether runs would have done the same under a version of their bundle, before it is used."""
    found = await replays.verify(runtime, body.request(bundle_id), body.run_ids(), body.limit)
    return json_of(shown.verified_of(found))


@router.post(
    "/runs/{run_id}/bookmarks",
    dependencies=[require("bookmark:write")],
    responses=answers(shown.BookmarkItem, 404, 409, body=True),
)
async def add_bookmark(
    run_id: RunIdPath, body: shown.MakeBookmark, runtime: CurrentRuntime, entry: EntryInside
) -> Response:
    """Name a moment of a run."""
    added = await bookmarks.add(runtime, run_id, body.mark(), entry)
    return json_of(shown.bookmark_of(added))


@router.get(
    "/runs/{run_id}/bookmarks",
    dependencies=[require("bookmark:read")],
    responses=answers(shown.BookmarkList, 404),
)
async def list_run_bookmarks(
    run_id: RunIdPath, page: Annotated[shown.AskPage, Query()], runtime: CurrentRuntime
) -> Response:
    """List the bookmarks of a run, newest first."""
    query = BookmarkQuery(run_id, limit=page.limit, offset=page.offset)
    return json_of(shown.bookmarks_of(await bookmarks.listed(runtime, query)))


@router.get(
    "/bookmarks",
    dependencies=[require("bookmark:read")],
    responses=answers(shown.BookmarkList, 404),
)
async def list_bookmarks(
    asked: Annotated[shown.AskBookmarks, Query()], runtime: CurrentRuntime
) -> Response:
    """Find bookmarks by name, note, tag and run, newest first."""
    return json_of(shown.bookmarks_of(await bookmarks.listed(runtime, asked.query())))


@router.get(
    "/bookmarks/{bookmark_id}",
    dependencies=[require("bookmark:read")],
    responses=answers(shown.BookmarkItem, 404),
)
async def read_bookmark(bookmark_id: NamePath, runtime: CurrentRuntime) -> Response:
    """Show a bookmark."""
    return json_of(shown.bookmark_of(await bookmarks.get(runtime, bookmark_id)))


@router.delete(
    "/bookmarks/{bookmark_id}",
    dependencies=[require("bookmark:write")],
    responses=answers(shown.Gone, 404),
)
async def remove_bookmark(
    bookmark_id: NamePath, runtime: CurrentRuntime, entry: EntryInside
) -> Response:
    """Take a bookmark away. The run stays as it is."""
    await bookmarks.remove(runtime, bookmark_id, entry)
    return json_of({"ok": True})


@router.post(
    "/bookmarks/{bookmark_id}/restore",
    dependencies=[require("run:fork")],
    responses=answers(shown.ForkedRun, 404, 409, body=True),
)
async def restore_bookmark(
    bookmark_id: NamePath,
    body: shown.RestoreRun,
    runtime: CurrentRuntime,
    key: NewCommand,
    entry: EntryInside,
) -> Response:
    """Go on from a bookmark in a fork."""
    forked = await bookmarks.restore(runtime, bookmark_id, body.request(key), entry)
    return json_of(shown.forked_of(forked))
