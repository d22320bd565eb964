"""The cells of a schedule: what did not change is not written."""

from perdure.features.schedules.standing import BUFFER, GAP, RUNNING, STANDING, Standing
from perdure.kernel.model import GONE
from perdure.kernel.program import View
from perdure.services.schedules import SPEC
from tests.support.builders import AT
from tests.support.scheduling import a_spec

CELLS = {SPEC: a_spec()}


def test_a_schedule_that_was_just_born_stands_at_its_birth() -> None:
    standing = Standing(View(CELLS), AT)
    assert standing.counts.anchor == AT
    assert standing.idle()
    assert standing.writes() == {}


def test_only_what_changed_is_written_and_an_empty_cell_is_gone() -> None:
    standing = Standing(View(CELLS), AT)
    standing.count(planned=1)
    standing.running["run:a"] = {"planned_at": AT, "cause": "planned"}
    standing.buffer.append({"planned_at": AT, "outcome": "ran"})
    written = standing.writes()
    assert set(written) == {STANDING, RUNNING, BUFFER}
    again = Standing(View({**CELLS, **written}), AT)
    assert again.counts.planned == 1
    again.buffer.clear()
    again.gap = {"each": 1}
    assert again.writes() == {BUFFER: GONE, GAP: {"each": 1}}


def test_a_backfill_overlaps_with_nothing() -> None:
    standing = Standing(View(CELLS), AT)
    standing.running["run:a"] = {"planned_at": AT, "cause": "backfill"}
    assert standing.busy() == []
    assert not standing.idle()
