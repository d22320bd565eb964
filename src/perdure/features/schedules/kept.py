"""The cells of a schedule that was lived elsewhere, held against those that a schedule keeps."""

from perdure.clock import time_of
from perdure.features.schedules.calendar import zone_of
from perdure.features.schedules.spec import jitter_of, plan_of
from perdure.features.schedules.standing import BACKFILL, BUFFER, RUNNING, Standing
from perdure.features.schedules.wrapper import flow_of
from perdure.kernel.model import Birth, Cells
from perdure.kernel.program import View


def check_kept(birth: Birth, cells: Cells) -> None:
    """Read all that lists, previews and drawings read. Raises as `Check` does where one of them would."""
    lists = (cells.get(BUFFER, []), cells.get(BACKFILL, []))
    _check(isinstance(cells.get(RUNNING, {}), dict) and all(isinstance(it, list) for it in lists))
    at = Standing(View(cells), birth.created_at)
    planned = [it["planned_at"] for it in (*at.running.values(), *at.buffer)]
    _check(all(isinstance(it, str) for it in (*planned, *at.backfill)))
    flow_of(birth, cells)
    plan_of(at.spec, time_of(at.counts.anchor))
    zone_of(at.spec["timezone"])
    jitter_of(at.spec, birth.id)


def _check(fits: bool) -> None:
    if not fits:
        raise ValueError("the cells are not those of a schedule")
