"""The terms of a schedule: how they are kept, and which are refused."""

from datetime import timedelta
from typing import Any

import pytest

from perdure.clock import text_of, time_of
from perdure.errors import Invalid, Unfit
from perdure.features.schedules.calendar import Dst
from perdure.features.schedules.spec import jitter_of, plan_of, start_of
from tests.support.clock import START
from tests.support.scheduling import a_spec

LATER = text_of(START + timedelta(hours=1))


def test_the_terms_are_kept_as_the_wire_shows_them() -> None:
    spec = a_spec(interval="15m", repeat_until=LATER, start_at="now")
    assert spec == {
        "kind": "scheduled_run", "interval": "15m", "repeat_count": None, "repeat_until": LATER, "start_at": None,
        "share_context": True, "target_workflow_id": "bundle@1.0.0:flow", "target_bundle_ref": "bundle@1.0.0",
        "target_flow_id": "flow", "created_at": text_of(START), "updated_at": text_of(START), "cron": None,
        "timezone": "UTC", "dst": "first", "overlap": "skip", "catchup_window": "1d", "jitter": None,
        "pause_after_failures": None, "run_timeout": None,
    }  # fmt: skip


def test_a_single_run_needs_no_interval() -> None:
    assert a_spec(interval="15m", repeat_count=1)["interval"] is None


def test_a_time_without_an_offset_is_of_the_schedules_zone() -> None:
    asked = a_spec(cron="@daily", timezone="Europe/Paris", start_at="2026-07-01T09:00")
    assert asked["start_at"] == "2026-07-01T07:00:00.000000+00:00"
    assert start_of("2026-07-01T09:00+01:00", "Europe/Paris", START) == time_of("2026-07-01T08:00Z")


@pytest.mark.parametrize(
    "asked",
    [
        {"repeat_count": 0}, {"repeat_count": 2}, {"repeat_until": LATER},
        {"repeat_count": 2, "repeat_until": LATER, "interval": "1m"},
        {"repeat_count": 10_001, "interval": "1m"}, {"interval": "1m", "repeat_until": "2027-01-01T00:00:00Z"},
        {"interval": "1m", "cron": "@daily"},
    ],
)  # fmt: skip
def test_terms_that_contradict_one_another_are_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        a_spec(**asked)
    assert type(refused.value) is Invalid


@pytest.mark.parametrize(
    "asked",
    [
        {"interval": "banana"}, {"interval": "99ms"}, {"start_at": "soon"}, {"start_at": "0001-01-01T00:00:00+01:00"},
        {"start_at": "1969-12-31T23:59:59Z"}, {"start_at": "9999-12-31"}, {"cron": "banana"},
        {"cron": "@daily", "timezone": "Mars/Base"}, {"timezone": "Mars/Base"}, {"catchup_window": "long"},
        {"interval": "1m", "jitter": "some"}, {"interval": "1m", "repeat_until": "then"},
        {"interval": "1m", "repeat_until": "2025-01-01T00:00:00Z"}, {"interval": "1m", "pause_after_failures": 0},
        {"run_timeout": "soon"}, {"run_timeout": "0s"}, {"run_timeout": "3661d"},
    ],
)  # fmt: skip
def test_text_that_can_be_no_schedule_is_refused_at_the_door(asked: dict[str, Any]) -> None:
    with pytest.raises(Unfit):
        a_spec(**asked)


def test_the_most_that_may_be_repeated_may_be() -> None:
    assert a_spec(repeat_count=10_000, interval="100ms")["repeat_count"] == 10_000


def test_jitter_follows_from_the_schedules_id_and_keeps_within_its_bound() -> None:
    spec = a_spec(interval="1h", jitter="1m")
    found = {jitter_of(spec, f"schedule {number}") for number in range(50)}
    assert len(found) == 50
    assert all(timedelta(0) <= it <= timedelta(minutes=1) for it in found)
    assert jitter_of(spec, "schedule 7") in found
    assert jitter_of(a_spec(interval="1h"), "schedule 7") == timedelta(0)


def test_cron_is_planned_from_the_start_on() -> None:
    spec = a_spec(cron="30 * * * *", dst=Dst.BOTH)
    assert plan_of(spec, START).after(None) == START + timedelta(minutes=30)
