"""Schedules from the command line: as tables and pages, and as commands that say what came of them."""

import json
from typing import Any

import pytest

from tests.app.conftest import Perdure
from tests.support.scripted_gateway import ScriptedGateway

TERMS = {
    "interval": "15m", "cron": None, "timezone": "UTC", "repeat_count": None, "overlap": "skip",
    "target_workflow_id": "daily@1.0.0:main",
}  # fmt: skip
NEXT = "2026-03-01T09:15:00.000000+00:00"


def a_row(**more: Any) -> dict[str, Any]:
    """A schedule as the gateway shows it."""
    row = {
        "run_id": "s1", "status": "waiting", "paused": False, "pause_reason": None, "error": None, "schedule": TERMS,
        "next_run_at": NEXT, "started": 3, "skipped": 1, "failed": 0,
    }  # fmt: skip
    return {**row, **more}


def an_occurrence(**more: Any) -> dict[str, Any]:
    """What became of a planned time."""
    told = {
        "planned_at": "2026-03-01T09:00:00.000000+00:00", "planned_until": None, "count": 1, "outcome": "ran",
        "why": None, "status": "completed",
    }  # fmt: skip
    return {**told, **more}


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({}, "every 15m"), ({"repeat_count": 3}, "every 15m, 3 times"), ({"interval": None}, "once"),
        ({"interval": None, "cron": "@daily", "timezone": "Europe/Paris"}, "@daily Europe/Paris"),
    ],
)  # fmt: skip
def test_schedules_are_listed_with_plan_and_next_time(
    perdure: Perdure, gateway: ScriptedGateway, terms: dict[str, Any], words: str
) -> None:
    row = a_row(schedule={**TERMS, **terms}, paused=True)
    gateway.on("GET", "/schedules", (200, {"items": [row], "next_cursor": None}))
    ran = perdure("schedules", "list", "-n", "5")
    assert ran.code == 0
    for said in ("s1", "daily@1.0.0:main", words, "paused", NEXT[:19]):
        assert said in ran.out
    assert json.loads(perdure("schedules", "list", "--json").out) == [row]


def test_a_place_without_schedules_says_so(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("GET", "/schedules", (200, {"items": [], "next_cursor": None}))
    assert "There are no schedules." in perdure("schedules", "list").out


def test_a_schedule_is_shown_with_what_became_of_its_times(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    skipped = an_occurrence(outcome="skipped", why="paused: lunch", planned_until=NEXT, count=7)
    gateway.on("GET", "/schedules/s1", (200, a_row()))
    told = {"items": [skipped, an_occurrence()], "next_cursor": None}
    gateway.on("GET", "/schedules/s1/occurrences", (200, told))
    out = perdure("schedules", "show", "s1").out
    for said in ("every 15m", "3 started, 1 skipped", "paused: lunch", "7 times", "ran  completed"):
        assert said in out


def test_planned_times_are_printed_one_a_line(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("GET", "/schedules/s1/preview", (200, {"items": [{"planned_at": NEXT}]}))
    assert perdure("schedules", "preview", "s1", "--from", "a", "--to", "b").out.strip() == NEXT
    assert "from=a&to=b" in gateway.asked("GET", "/schedules/s1/preview")[0].path


@pytest.mark.parametrize(
    ("words", "type", "payload"),
    [
        (("pause", "s1", "--reason", "lunch"), "pause", {"reason": "lunch"}),
        (("resume", "s1"), "resume", {}),
        (("trigger", "s1"), "trigger_schedule", {}),
        (
            ("backfill", "s1", "--from", "a", "--to", "b"),
            "backfill_schedule",
            {"from": "a", "to": "b"},
        ),
    ],
)
def test_commands_are_sent_and_what_came_of_them_is_told(
    perdure: Perdure, gateway: ScriptedGateway, words: tuple[str, ...], type: str, payload: Any
) -> None:
    gateway.takes_commands()
    assert perdure("schedules", *words).code == 0
    (body,) = gateway.bodies("/commands")
    assert (body["run_id"], body["type"], body["payload"]) == ("s1", type, payload)


def test_a_command_that_changes_nothing_is_told_and_fails(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    gateway.takes_commands("ignored", "the run has ended")
    ran = perdure("schedules", "trigger", "s1")
    assert ran.code != 0
    assert "the run has ended" in ran.err
