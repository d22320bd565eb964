"""What is known of schedules where no feature is known."""

from pathlib import Path

import pytest

from perdure.kernel.draft import born
from perdure.kernel.model import ProgramRef
from perdure.services.schedules import SPEC, is_schedule, with_terms
from perdure.stores.runs import Commit, RunQuery
from tests.support.running import Stage, running

pytestmark = pytest.mark.anyio


async def test_headers_of_schedules_come_with_their_terms_and_others_without(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, Stage({}, serves=False)) as on_stage:
        plain = await on_stage.start()
        birth = on_stage.birth(program=ProgramRef("schedule", None, "flow"))
        await on_stage.plane.runs.commit(Commit(born(birth, {SPEC: {"interval": "1m"}})))
        headers = [await on_stage.plane.runs.header(it) for it in (plain, birth.id)]
        assert [is_schedule(it) for it in headers] == [False, True]
        told = await with_terms(on_stage.runtime, headers)
        assert [it.schedule for it in told] == [None, {"interval": "1m"}]
        page = await on_stage.plane.runs.list(RunQuery(program_kind="schedule"))
        assert [it.birth.id for it in page.items] == [birth.id]
