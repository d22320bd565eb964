"""Commands to a schedule, as values: what the program is told, and what is refused."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from perdure.clock import text_of
from perdure.errors import Conflict, Deprecated, Unfit
from perdure.features.schedules import words
from perdure.features.schedules.standing import BACKFILL, CLOSED
from perdure.features.schedules.words import COMMANDS, planned_between
from perdure.kernel.model import Cells, Held, Run
from perdure.kernel.values import Json
from perdure.services.schedules import SPEC
from tests.support.builders import AT, a_run
from tests.support.clock import START
from tests.support.scheduling import a_spec, every

HOUR = timedelta(hours=1)
RUN = a_run()
NOW = START + 10 * HOUR


def told(
    type: str, payload: Mapping[str, Json], run: Run = RUN, cells: Cells | None = None, **asked: Any
) -> Json:
    """What a schedule is told by a command."""
    given = {SPEC: a_spec(**{"interval": "1h", **asked}), **(cells or {})}
    return COMMANDS[type].word(run, given, payload, NOW)


def test_new_terms_name_what_changes_and_nothing_else() -> None:
    assert told("update_schedule", {"interval": "20m"}) == {
        "do": "update", "at_once": True, "changes": {"interval": "20m", "cron": None},
    }  # fmt: skip
    cron = told("update_schedule", {"cron": "@daily", "timezone": "Europe/Paris"})
    assert cron["changes"] == {"cron": "@daily", "interval": None, "timezone": "Europe/Paris"}
    later = told("update_schedule", {"interval": "5m", "apply_immediately": False})
    assert later["at_once"] is False


@pytest.mark.parametrize("new", [{"cron": "@daily"}, {"timezone": "Asia/Kolkata"}, {"dst": "skip"}])
def test_new_times_of_the_wall_apply_at_once_or_not_at_all(new: dict[str, Json]) -> None:
    cron: dict[str, Any] = {"interval": None, "cron": "@hourly"}
    assert told("update_schedule", new, **cron)["at_once"] is True
    with pytest.raises(Unfit, match="at once"):
        told("update_schedule", {**new, "apply_immediately": False}, **cron)


def test_null_clears_what_may_be_left_out_and_says_nothing_of_the_rest() -> None:
    asked = told("update_schedule", {"jitter": None, "timezone": None}, jitter="1m")
    assert asked["changes"] == {"jitter": None}


def test_an_end_is_read_in_the_schedules_zone() -> None:
    asked = told("update_schedule", {"repeat_until": "2026-07-01T00:00"}, timezone="Asia/Kolkata")
    assert asked["changes"] == {"repeat_until": "2026-06-30T18:30:00.000000+00:00"}


def test_a_schedule_that_runs_once_has_no_interval_to_change() -> None:
    with pytest.raises(Conflict):
        told("update_schedule", {"interval": "20m"}, interval=None)


@pytest.mark.parametrize("type", ["trigger_schedule", "backfill_schedule"])
def test_nothing_runs_while_a_schedule_is_paused(type: str) -> None:
    with pytest.raises(Conflict, match="paused"):
        told(type, {}, run=replace(RUN, held=Held("lunch", AT)))


@pytest.mark.parametrize("type", ["trigger_schedule", "backfill_schedule"])
def test_nothing_runs_while_its_flow_is_deprecated(type: str) -> None:
    with pytest.raises(Deprecated, match="starts nothing: old"):
        told(type, {}, cells={CLOSED: "old"})


def test_a_backfill_names_the_planned_times_of_its_window() -> None:
    window = {"from": text_of(START), "to": text_of(START + 2 * HOUR)}
    assert told("backfill_schedule", window)["planned"] == every(START, HOUR, 3)


def test_a_backfill_is_bounded_with_what_waits_already(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "BACKFILL_MAX", 3)
    window = {"from": text_of(START), "to": text_of(START + 2 * HOUR)}
    assert len(told("backfill_schedule", window)["planned"]) == 3
    with pytest.raises(Unfit):
        told("backfill_schedule", window, cells={BACKFILL: [AT]})
    with pytest.raises(Unfit):
        told("backfill_schedule", {**window, "to": text_of(START + 3 * HOUR)})


@pytest.mark.parametrize("asked", [{"interval": "1h"}, {"interval": None, "cron": "@hourly"}])
def test_a_window_before_the_schedule_began_is_planned_by_the_same_terms(asked: Any) -> None:
    cells = {SPEC: a_spec(**asked)}
    window = (text_of(START - 3 * HOUR), text_of(START - HOUR))
    assert len(planned_between(RUN, cells, window, 10)) == 3
