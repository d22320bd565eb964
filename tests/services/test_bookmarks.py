"""Bookmarks of runs: bounded, on the right side of the head, and gone on from as forks."""

from pathlib import Path

import pytest

from perdure.errors import BookmarkNotFound, Invalid, LimitReached, RunNotFound
from perdure.ids import RunId
from perdure.kernel.model import Guard, Status
from perdure.services import bookmarks
from perdure.services.bookmarks import Mark
from perdure.services.forks import ForkRequest
from perdure.stores.bookmarks import BookmarkQuery
from tests.support.branches import Ask, Branches
from tests.support.running import Running, Stage, running

pytestmark = pytest.mark.anyio
STAGE = Stage({"run": Branches((Ask(), Ask()))})


async def asking(stage: Running) -> RunId:
    """A run that waits for its first answer."""
    run_id = await stage.start()
    await stage.until(run_id, Status.WAITING)
    return run_id


async def test_a_bookmark_is_of_now_where_no_record_is_named(tmp_path: Path) -> None:
    async with running(tmp_path, STAGE) as stage:
        run_id = await asking(stage)
        made = await bookmarks.add(stage.runtime, run_id, Mark("here", tags=("a",)))
        assert (made.run_id, made.seq) == (run_id, 1)
        page = await bookmarks.listed(stage.runtime, BookmarkQuery(run_id))
        assert (list(page.items), page.total) == ([made], 1)
        forked = await bookmarks.restore(stage.runtime, made.id, ForkRequest(effects=Guard.ASK))
        assert forked.forked_from == (run_id, 1)
        await bookmarks.remove(stage.runtime, made.id)
        with pytest.raises(BookmarkNotFound):
            await bookmarks.get(stage.runtime, made.id)


async def test_what_is_not_there_has_no_bookmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, STAGE) as stage:
        run_id = await asking(stage)
        with pytest.raises(Invalid):
            await bookmarks.add(stage.runtime, run_id, Mark("beyond", 2))
        for ask in (RunId("nobody"),):
            with pytest.raises(RunNotFound):
                await bookmarks.add(stage.runtime, ask, Mark("nowhere"))
        monkeypatch.setattr(bookmarks, "BOOKMARKS_MAX", 1)
        await bookmarks.add(stage.runtime, run_id, Mark("the last"))
        with pytest.raises(LimitReached):
            await bookmarks.add(stage.runtime, run_id, Mark("one more"))
