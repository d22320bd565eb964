"""Runs that were only tried out: which of them are to go, and their going."""

import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import anyio.to_thread
import structlog

from perdure.clock import text_of
from perdure.identity.audit import Entry
from perdure.ids import RunId, is_run_id
from perdure.kernel.model import TERMINAL
from perdure.runtimes.context import RuntimeContext
from perdure.services.bundles import DRAFT_PURPOSE
from perdure.services.sweeps import sweep_soon
from perdure.stores.runs import Header, RunQuery

EPHEMERAL: Final = "ephemeral"  # the retention of a draft that may go
TTL_S: Final = 604_800  # how long such a draft stays after its end
STILL_USED: Final = "still_used"  # by a run below it that moves, or by a fork of a fork of it
PAGE: Final = 200
log: Final = structlog.get_logger("perdure.drafts")


class Purge(NamedTuple):
    """Which drafts are to go. `force` takes those whose time has not come as well."""

    dry_run: bool = True
    limit: int = 200
    session_id: str | None = None
    workflow_id: str | None = None
    run_ids: tuple[str, ...] | None = None
    force: bool = False
    include_active: bool = False
    delete_artifacts: bool = True
    delete_workspaces: bool = True


class Draft(NamedTuple):
    """One draft that was looked at, and why it stays where it does."""

    header: Header
    why: str | None = None
    purged: bool = False


class Looked(NamedTuple):
    """What became of each draft."""

    items: Sequence[Draft]
    eligible: int
    purged: int


async def purge(runtime: RuntimeContext, asked: Purge, entry: Entry | None) -> Looked:
    """Take drafts away that may go, whole trees of them; or say which would. A run that moves stays."""
    now = runtime.clock.now()
    before = text_of(now - timedelta(seconds=TTL_S))
    looked = [Draft(it, _why_not(it, asked, before)) for it in await _drafts(runtime, asked)]
    ready = [it.header.birth.id for it in looked if it.why is None]
    gone: set[RunId] = set()
    if ready and not asked.dry_run:
        told = None if entry is None else entry._replace(at=text_of(now), facts={"change": "purge", "runs": len(ready)})  # fmt: skip
        purged = await runtime.plane.purges.purge(ready, artifacts=asked.delete_artifacts, entry=told)  # fmt: skip
        gone = set(purged.runs)
        if asked.delete_workspaces:
            await anyio.to_thread.run_sync(_forget_folders, runtime.workspaces, sorted(gone))
        if gone:
            await sweep_soon(runtime)
        looked = [_came_of(it, gone) for it in looked]
    eligible = sum(it.why is None for it in looked)
    return Looked(looked, eligible, sum(it.purged for it in looked))


def _came_of(draft: Draft, gone: set[RunId]) -> Draft:
    """What the purge made of a draft; one that the store kept though its time had come says so."""
    if draft.why is not None:
        return draft
    is_gone = draft.header.birth.id in gone
    return draft._replace(purged=is_gone, why=None if is_gone else STILL_USED)


async def _drafts(runtime: RuntimeContext, asked: Purge) -> list[Header]:
    """The drafts that are meant, newest first, as many as may be looked at."""
    found: list[Header] = []
    after: str | None = None
    while len(found) < asked.limit:
        page = await runtime.plane.runs.list(RunQuery(
            limit=PAGE, after=after, session_id=asked.session_id, workflow_id=asked.workflow_id, root_only=True,
            drafts=True, only_drafts=True,
        ))  # fmt: skip
        found += [it for it in page.items if asked.run_ids is None or it.birth.id in asked.run_ids]
        after = page.next
        if after is None:
            break
    return found[: asked.limit]


def _why_not(header: Header, asked: Purge, before: str) -> str | None:
    """Why a draft stays, or `None`."""
    lifecycle: dict[str, Any] = header.birth.lifecycle if isinstance(header.birth.lifecycle, dict) else {}  # fmt: skip
    retention = lifecycle.get("retention")
    if lifecycle.get("purpose") != DRAFT_PURPOSE:
        return "not_a_draft"
    if not isinstance(retention, dict) or retention.get("mode") != EPHEMERAL:
        return "retained"
    if header.status not in TERMINAL:
        return "active_cancel_it_first" if asked.include_active else "active"
    if not asked.force and header.updated_at > before:
        return "not_due"
    return None


def _forget_folders(workspaces: Path, run_ids: Sequence[RunId]) -> None:
    """Take the workspaces of runs away, where they have one of their own name; one that stays is told."""
    for run_id in run_ids:
        assert is_run_id(run_id), "an id that is a path was let in"
        try:
            shutil.rmtree(workspaces / run_id)
        except FileNotFoundError:
            continue
        except OSError as failed:
            log.warning("a workspace stays", run_id=run_id, why=failed.strerror)
