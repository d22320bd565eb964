"""Schedules by decisions alone: what becomes of each planned time, and when the schedule ends."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from perdure.clock import text_of
from perdure.features.schedules import program as program_module
from perdure.features.schedules.calendar import Dst
from perdure.ids import derived_id
from perdure.kernel.limits import Limits
from perdure.kernel.model import Failed, Ok, Status
from perdure.kernel.program import Program
from perdure.kernel.values import Json
from perdure.services.schedules import RECURS
from tests.support.clock import START
from tests.support.scheduling import (
    ASKING,
    FAILING,
    RUNNING,
    SUCCEEDING,
    Scheduled,
    every,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def test_one_shot_runs_once_at_its_time_and_the_schedule_ends() -> None:
    later = START + HOUR
    it = Scheduled(start_at=text_of(later)).until(later - timedelta(seconds=1))
    assert (it.runs, it.status) == ([], Status.WAITING)
    it.until(later)
    (run,) = it.runs
    assert it.world.run(run).birth.created_at == text_of(later)
    assert it.status is Status.COMPLETED
    assert it.world.run(it.id).output == {
        "success": True, "result": {"started": 1, "skipped": 0, "failed": 0},
    }  # fmt: skip


def test_at_even_steps_it_runs_so_often_and_never_drifts() -> None:
    it = Scheduled(RUNNING, interval="20m", repeat_count=3)
    for _ in range(3):
        it.until(it.now + 7 * MINUTE)
        it.end()
        it.until(it.now + 13 * MINUTE)
    assert [one["planned_at"] for one in it.occurrences()] == every(START, 20 * MINUTE, 3)
    assert it.status is Status.COMPLETED


def test_until_a_time_the_last_moment_counts() -> None:
    it = Scheduled(interval="15m", repeat_until=text_of(START + HOUR)).until(START + DAY)
    assert len(it.runs) == 5
    assert it.status is Status.COMPLETED


def test_a_childs_id_follows_from_schedule_and_planned_time_and_its_inputs_are_the_schedules() -> (
    None
):
    it = Scheduled(interval="1h").until(START + HOUR)
    ids = [derived_id(it.id, f"run:{planned}") for planned in every(START, HOUR, 2)]
    assert it.runs == ids == [one["run_id"] for one in it.occurrences()]
    assert it.world.cells(it.runs[1])["in/prompt"] == "hello"


@pytest.mark.parametrize(("asked", "recurs"), [({}, None), ({"interval": "1h"}, True), ({"cron": "@daily"}, True)])  # fmt: skip
def test_a_run_of_a_schedule_that_recurs_knows_it(
    asked: dict[str, Any], recurs: bool | None
) -> None:
    it = Scheduled(**asked).until(START + DAY)
    assert it.world.cells(it.runs[0]).get(RECURS) is recurs


def test_a_session_of_its_own_for_each_occurrence_where_the_context_is_not_shared() -> None:
    shared = Scheduled(interval="1h").until(START + HOUR)
    apart = Scheduled(interval="1h", share_context=False, repeat_count=2).until(START + HOUR)
    forever = Scheduled(interval="1h", share_context=False)
    assert {shared.world.run(run).birth.session_id for run in shared.runs} == {"session"}
    sessions = [apart.world.run(run).birth.session_id for run in apart.runs]
    assert sessions == [f"scheduled:{apart.id}:0", f"scheduled:{apart.id}:1"]
    (session,) = [forever.world.run(run).birth.session_id for run in forever.runs]
    assert session == f"scheduled:{forever.id} : {text_of(START)}"


KINDS = {"running": RUNNING, "waiting for a person": ASKING, "failed": FAILING}
STEPS = 4  # planned times, a minute from each other


def overlapped(overlap: str, occurrence: Program) -> Scheduled:
    """Four planned times, the first of them started."""
    return Scheduled(occurrence, interval="1m", overlap=overlap, repeat_count=STEPS).until(
        START + HOUR
    )


@pytest.mark.parametrize("overlap", ["skip", "buffer_one", "buffer_all", "cancel_other", "terminate_other", "allow_all"])  # fmt: skip
def test_what_has_failed_overlaps_with_nothing(overlap: str) -> None:
    it = overlapped(overlap, FAILING)
    assert it.outcomes() == {"ran": STEPS}
    assert it.world.run(it.id).output["result"]["failed"] == STEPS
    assert it.status is Status.COMPLETED


@pytest.mark.parametrize("kind", ["running", "waiting for a person"])
class TestWhatStillRuns:
    """A run that works and one that waits for a person are the same to a schedule."""

    def test_skip_passes_over_every_time_while_one_runs(self, kind: str) -> None:
        it = overlapped("skip", KINDS[kind])
        assert it.outcomes() == {"ran": 1, "skipped": 3}
        assert set(it.whys()) == {"the one before still runs"}
        assert it.status is Status.WAITING
        assert it.end().status is Status.COMPLETED

    def test_buffer_one_keeps_the_first_and_runs_it_after(self, kind: str) -> None:
        it = overlapped("buffer_one", KINDS[kind])
        assert (len(it.runs), len(it.whys())) == (1, 2)
        it.end()
        assert it.occurrences()[-1]["planned_at"] == text_of(START + MINUTE)
        assert it.occurrences()[-1]["why"] == "waited for the one before"
        assert it.end().status is Status.COMPLETED

    def test_buffer_all_keeps_them_all_and_runs_them_in_order(self, kind: str) -> None:
        it = overlapped("buffer_all", KINDS[kind])
        for count in range(1, STEPS + 1):
            assert (len(it.runs), len(it.going)) == (count, 1)
            it.end()
        assert [one["planned_at"] for one in it.occurrences()] == every(START, MINUTE, STEPS)
        assert it.status is Status.COMPLETED

    def test_cancel_other_ends_what_runs_and_then_starts(self, kind: str) -> None:
        it = overlapped("cancel_other", KINDS[kind])
        statuses = [it.world.status(run) for run in it.runs]
        assert statuses[:3] == [Status.CANCELLED] * 3
        assert it.going == it.runs[3:]
        assert it.world.run(it.id).output is None
        assert it.end().world.run(it.id).output["result"]["failed"] == 0

    def test_terminate_other_gives_up_what_runs_and_starts_at_once(self, kind: str) -> None:
        it = overlapped("terminate_other", KINDS[kind])
        assert [it.world.status(run) for run in it.runs[:3]] == [Status.CANCELLED] * 3
        assert it.going == it.runs[3:]
        assert it.end().status is Status.COMPLETED

    def test_allow_all_runs_them_beside_one_another(self, kind: str) -> None:
        it = overlapped("allow_all", KINDS[kind])
        assert len(it.going) == STEPS
        for _ in range(STEPS):
            it.end()
        assert it.status is Status.COMPLETED


def test_cancel_other_starts_only_when_the_one_before_has_ended() -> None:
    it = Scheduled(RUNNING, interval="1m", overlap="cancel_other")
    it.world.clock.set(START + MINUTE)
    (due,) = it.world.due(it.id)
    it.world.come_due(it.id, "timer")
    assert due.what.tag == "timer"
    assert len(it.runs) == 1
    it.world.settle()
    assert len(it.runs) == 2


@pytest.mark.parametrize("overlap", ["cancel_other", "terminate_other"])
def test_missed_times_take_one_anothers_place_in_order(overlap: str) -> None:
    it = Scheduled(RUNNING, interval="1m", overlap=overlap).sleep(START + 5 * MINUTE)
    planned = [one["planned_at"] for one in it.occurrences()]
    assert sorted(planned) == every(START, MINUTE, 6)
    assert len(it.going) == 1
    assert it.world.run(it.going[0]).id == derived_id(it.id, f"run:{text_of(START + 5 * MINUTE)}")


# --- the gateway was down ------------------------------------------------------------------------


@pytest.mark.parametrize("overlap", ["skip", "buffer_one", "buffer_all", "allow_all"])
@pytest.mark.parametrize("window", ["10m", "1h", "1d"])
def test_three_hours_down_every_planned_time_is_accounted_for_once(
    overlap: str, window: str
) -> None:
    it = Scheduled(SUCCEEDING, interval="1m", overlap=overlap, catchup_window=window)
    it.sleep(START + 3 * HOUR)
    it.until(START + 3 * HOUR + 10 * MINUTE)
    planned = [one["planned_at"] for one in it.occurrences()]
    assert sorted(planned) == every(START, MINUTE, 191)
    old = [one for one in it.occurrences() if (one["why"] or "").startswith("older than")]
    within = {"10m": 10, "1h": 60, "1d": 180}[window]
    assert len(old) == 180 - within - (window != "1d")


def test_a_one_shot_that_was_missed_is_caught_up_and_says_so() -> None:
    later = START + HOUR
    it = Scheduled(start_at=text_of(later)).sleep(later + HOUR)
    assert [one["outcome"] for one in it.occurrences()] == ["caught_up"]
    gone = Scheduled(start_at=text_of(later), catchup_window="10m").sleep(later + HOUR)
    assert gone.outcomes() == {"skipped": 1}
    assert gone.status is Status.COMPLETED


def test_a_very_long_row_of_skips_is_accounted_for_in_one_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(program_module, "EACH_MAX", 10)
    it = Scheduled(interval="1s", catchup_window="5s").sleep(START + 30 * DAY)
    assert it.outcomes().total() == 30 * 86_400 + 1
    rows = [one for one in it.occurrences() if "count" in one]
    assert [row["planned_until"] for row in rows] == [
        text_of(START + 30 * DAY - timedelta(seconds=6))
    ]
    cron = Scheduled(cron="* * * * *", catchup_window="5m").sleep(START + 2 * DAY)
    assert cron.outcomes().total() == 2 * 1_440 + 1


def test_a_row_that_is_leapt_over_ends_where_the_count_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(program_module, "EACH_MAX", 3)
    it = Scheduled(interval="1s", catchup_window="0s", repeat_count=50).sleep(START + DAY)
    assert it.outcomes() == {"ran": 1, "skipped": 49}
    assert it.status is Status.COMPLETED


# --- pauses --------------------------------------------------------------------------------------


def test_what_was_planned_in_a_pause_is_skipped_with_its_note() -> None:
    it = Scheduled(interval="1m").until(START + MINUTE).pause("holiday")
    it.world.clock.set(START + 5 * MINUTE)
    it.resume().until(START + 6 * MINUTE)
    assert it.whys() == ["paused: holiday"] * 4
    assert [one["planned_at"] for one in it.occurrences()] == every(START, MINUTE, 7)


def test_what_was_missed_before_a_pause_is_caught_up_after_it() -> None:
    it = Scheduled(interval="1m", overlap="allow_all")
    it.world.clock.set(START + 3 * MINUTE + timedelta(seconds=30))
    it.pause("")
    it.world.clock.set(START + 5 * MINUTE)
    it.resume()
    assert it.whys() == ["paused"] * 2
    assert it.outcomes() == {"ran": 1, "caught_up": 3, "skipped": 2}


def test_so_many_failures_in_a_row_pause_the_schedule() -> None:
    it = Scheduled(FAILING, interval="1m", pause_after_failures=3).until(START + 10 * MINUTE)
    assert it.held is not None
    assert it.held.reason == "3 failures in a row"
    assert len(it.runs) == 3
    it.resume().until(START + 20 * MINUTE)
    assert len(it.runs) == 6
    assert set(it.whys()) == {"paused: 3 failures in a row"}


def test_a_success_begins_the_row_of_failures_anew() -> None:
    it = Scheduled(RUNNING, interval="1m", pause_after_failures=2)
    for index, well in enumerate((False, True, False)):
        it.until(START + index * MINUTE)
        it.world.arrive(it.going[0], "work", Ok(1) if well else Failed("bad"))
        it.world.settle()
    assert it.held is None


def test_each_run_has_its_own_deadline_and_one_that_passed_is_a_failure() -> None:
    it = Scheduled(RUNNING, interval="1h", run_timeout="20m").until(START + 20 * MINUTE)
    it.world.expire()
    it.world.settle()
    (run,) = it.runs
    error = it.world.run(run).error
    assert error == f"deadline_passed: the deadline was {text_of(START + 20 * MINUTE)}"
    it.until(START + HOUR)
    assert (len(it.runs), it.going) == (2, it.runs[1:])
    it.end().tell({"do": "update", "at_once": True, "changes": {"run_timeout": None}})
    it.until(START + 2 * HOUR)
    assert it.world.run(it.runs[2]).birth.deadline is None


# --- a flow that takes no new runs ----------------------------------------------------------------

MARKS = {"flow": {"at": text_of(START), "reason": "there is a better one"}}
CLOSED = "the flow is deprecated: there is a better one"


def marked(marks: Json) -> Json:
    """The word by which a schedule hears of the marks of its bundle."""
    return {"do": "deprecate", "marks": marks}


@pytest.mark.parametrize("overlap", ["skip", "buffer_all", "cancel_other", "terminate_other", "allow_all"])  # fmt: skip
def test_while_its_flow_is_deprecated_a_schedule_starts_nothing_and_says_why(overlap: str) -> None:
    it = Scheduled(RUNNING, interval="1m", overlap=overlap).tell(marked(MARKS))
    it.until(START + 3 * MINUTE)
    assert it.whys() == [CLOSED] * 3
    assert it.going == it.runs and len(it.runs) == 1, "what runs goes on"
    it.end().tell(marked({}))
    it.until(START + 4 * MINUTE)
    assert it.outcomes() == {"ran": 2, "skipped": 3}
    assert [one["planned_at"] for one in it.occurrences()] == every(START, MINUTE, 5)


def test_what_waits_to_be_run_is_skipped_when_the_flow_is_deprecated() -> None:
    it = Scheduled(RUNNING, interval="1m", overlap="buffer_one").until(START + MINUTE)
    it.tell({"do": "backfill", "planned": every(START - HOUR, MINUTE, 3)}).tell(marked(MARKS))
    assert it.whys() == [CLOSED] * 3
    assert it.tell({"do": "trigger"}).occurrences()[-1]["why"] == CLOSED
    assert it.end().end().going == []


def test_what_was_planned_while_nobody_was_there_is_skipped_by_the_mark_of_then() -> None:
    it = Scheduled(interval="1m", overlap="allow_all").tell(marked(MARKS))
    it.world.clock.set(START + 100 * MINUTE)
    it.tell(marked({})).until(START + 101 * MINUTE)
    assert it.outcomes() == {"ran": 2, "skipped": 100}
    assert set(it.whys()) == {CLOSED}


@pytest.mark.parametrize(
    ("marks", "closed"),
    [({"*": {"at": "", "reason": None}}, True), ({"other": {"at": "", "reason": None}}, False)],
)
def test_a_mark_on_all_of_a_bundle_counts_and_one_on_another_flow_does_not(
    marks: Json, closed: bool
) -> None:
    it = Scheduled(interval="1m").tell(marked(marks)).until(START + MINUTE)
    assert it.whys() == ["the flow is deprecated"] * closed


def test_a_schedule_of_a_deprecated_flow_ends_when_all_its_times_are_accounted_for() -> None:
    it = Scheduled(interval="1m", repeat_count=3).tell(marked(MARKS)).until(START + HOUR)
    assert (it.status, it.outcomes()) == (Status.COMPLETED, {"ran": 1, "skipped": 2})


# --- words ---------------------------------------------------------------------------------------


def test_a_trigger_runs_now_whatever_runs_already() -> None:
    it = Scheduled(RUNNING, interval="1h").until(START + 7 * MINUTE)
    it.tell({"do": "trigger"}).tell({"do": "trigger"})
    told = [one for one in it.occurrences() if one["cause"] == "trigger"]
    assert [one["planned_at"] for one in told] == [text_of(it.now)] * 2
    assert len({one["run_id"] for one in told}) == 2
    assert len(it.going) == 3


def test_a_backfill_runs_one_after_the_other_beside_the_plan() -> None:
    it = Scheduled(RUNNING, interval="1h", start_at=text_of(START + DAY))
    planned = every(START, HOUR, 3)
    it.tell({"do": "backfill", "planned": planned})
    assert len(it.going) == 1
    it.end().end().end()
    told = [one for one in it.occurrences() if one["cause"] == "backfill"]
    assert [one["planned_at"] for one in told] == planned
    assert it.until(START + DAY).outcomes()["ran"] == 1


def test_a_backfill_that_may_overlap_runs_at_once() -> None:
    it = Scheduled(RUNNING, interval="1h", start_at=text_of(START + DAY), overlap="allow_all")
    assert len(it.tell({"do": "backfill", "planned": every(START, HOUR, 3)}).going) == 3


@pytest.mark.parametrize(("at_once", "following"), [(True, (20, 25)), (False, (60, 65))])
def test_a_new_interval_counts_from_the_last_planned_time_or_from_the_next(
    at_once: bool, following: tuple[int, int]
) -> None:
    it = Scheduled(interval="1h").until(START + 17 * MINUTE)
    it.tell({"do": "update", "at_once": at_once, "changes": {"interval": "5m"}})
    it.until(START + 2 * HOUR)
    expected = [text_of(START + minutes * MINUTE) for minutes in following]
    assert [one["planned_at"] for one in it.occurrences()][1:3] == expected
    assert it.whys() == []


def test_new_terms_may_end_a_schedule_or_make_it_another() -> None:
    it = Scheduled(interval="1h").until(START + 17 * MINUTE)
    changes = {"interval": None, "cron": "30 * * * *", "dst": Dst.FIRST.value}
    it.tell({"do": "update", "at_once": True, "changes": changes}).until(START + 2 * HOUR)
    planned = [START, START + 30 * MINUTE, START + 90 * MINUTE]
    assert [one["planned_at"] for one in it.occurrences()] == [text_of(at) for at in planned]
    ended = {"repeat_until": text_of(it.now)}
    it.tell({"do": "update", "at_once": True, "changes": ended})
    assert it.status is Status.COMPLETED


def test_what_has_passed_is_accounted_for_under_the_terms_of_then() -> None:
    it = Scheduled(interval="1m", overlap="terminate_other")
    it.world.clock.set(START + HOUR)
    it.tell({"do": "update", "at_once": True, "changes": {"interval": "1h"}})
    assert [one["planned_at"] for one in it.occurrences()] == every(START, MINUTE, 61)
    assert it.until(START + 2 * HOUR).outcomes().total() == 62


def test_what_was_planned_in_a_pause_is_skipped_whatever_was_told_in_it() -> None:
    it = Scheduled(interval="1m").pause()
    it.world.clock.set(START + HOUR)
    it.tell({"do": "update", "at_once": True, "changes": {"interval": "1h"}}).resume()
    assert it.whys() == ["paused: lunch"] * 60


def test_new_terms_plan_nothing_for_the_time_before_them() -> None:
    it = Scheduled(cron="0 20 * * *").until(START + HOUR)
    early = {"cron": f"{(START + MINUTE).minute} {(START + MINUTE).hour} * * *"}
    it.tell({"do": "update", "at_once": True, "changes": early}).until(START + 23 * HOUR)
    assert it.occurrences() == []
    assert it.until(START + DAY + HOUR).outcomes() == {"ran": 1}


def test_new_terms_leave_what_is_late_on_purpose_as_it_was_planned() -> None:
    it = Scheduled(interval="1h", jitter="50m").until(START + 3 * HOUR)
    before = it.outcomes().total()
    it.world.clock.set(START + 3 * HOUR + timedelta(seconds=1))
    it.tell({"do": "update", "at_once": True, "changes": {"overlap": "allow_all"}})
    it.until(START + 4 * HOUR)
    assert [one["planned_at"] for one in it.occurrences()] == every(START, HOUR, before + 1)


def test_what_waits_begins_at_once_where_it_may_overlap_from_now_on() -> None:
    it = Scheduled(RUNNING, interval="1h", overlap="buffer_all").until(START + 3 * HOUR)
    assert len(it.going) == 1
    it.tell({"do": "update", "at_once": True, "changes": {"overlap": "allow_all"}})
    assert len(it.going) == 4


@pytest.mark.parametrize(("overlap", "runs", "records"), [
    ("skip", 1, 13), ("buffer_one", 1, 13), ("buffer_all", 1, 13), ("allow_all", 5, 17), ("cancel_other", 1, 13),
    ("terminate_other", 1, 13),
])  # fmt: skip
def test_a_long_row_that_comes_at_once_is_few_records_and_few_runs(
    monkeypatch: pytest.MonkeyPatch, overlap: str, runs: int, records: int
) -> None:
    for name, most in (("EACH_MAX", 10), ("RUNNING_MAX", 5), ("BUFFER_MAX", 1)):
        monkeypatch.setattr(program_module, name, most)
    first: dict[str, Any] = {
        "start_at": text_of(START + DAY),
        "interval": "1m",
        "repeat_count": 600,
    }
    it = Scheduled(RUNNING, overlap=overlap, **first).sleep(START + 2 * DAY)
    assert len(it.runs) == runs
    buffered = overlap.startswith("buffer")
    assert it.outcomes().total() == 600 - buffered
    assert len(it.occurrences()) <= records
    for _ in range(runs + buffered):
        it.end()
    assert it.status is Status.COMPLETED


@pytest.mark.parametrize("overlap", ["cancel_other", "terminate_other"])
def test_what_is_passed_over_for_a_later_one_is_so_for_one_that_runs(overlap: str) -> None:
    """What was planned last before a pause is, though more was planned in the pause."""
    it = Scheduled(RUNNING, interval="1h", overlap=overlap, start_at=text_of(START + HOUR))
    it.world.clock.set(START + 3 * HOUR + MINUTE)
    it.pause()
    it.world.clock.set(START + 9 * HOUR + MINUTE)
    it.resume()
    assert it.outcomes() == {"skipped": 8, "caught_up": 1}
    (run,) = it.going
    assert run == derived_id(it.id, f"run:{text_of(START + 3 * HOUR)}")


@pytest.mark.parametrize("overlap", ["cancel_other", "terminate_other"])
def test_a_long_pause_takes_no_more_moves_than_under_other_policies(overlap: str) -> None:
    it = Scheduled(RUNNING, cron="*/5 * * * *", overlap=overlap).until(START + HOUR).pause()
    life = it.world.lives[it.id]
    birth = replace(life.run.birth, limits=Limits(moves_max=50))
    life.run = replace(life.run, birth=birth)
    it.world.clock.set(START + 2 * DAY)
    assert it.resume().status is Status.WAITING
    assert it.outcomes().total() == 2 * 288 + 1


def test_without_a_window_what_is_in_time_runs() -> None:
    it = Scheduled(interval="1h", catchup_window="0s").sleep(START + HOUR + timedelta(seconds=2))
    it.sleep(START + 4 * HOUR)
    assert it.outcomes() == {"ran": 3, "skipped": 2}


def test_jitter_is_the_same_for_all_times_of_one_schedule() -> None:
    it = Scheduled(interval="1h", jitter="10m").until(START + 3 * HOUR)
    born = [it.world.run(run).birth.created_at for run in it.runs]
    planned = [one["planned_at"] for one in it.occurrences()]
    assert planned == every(START, HOUR, 3)
    assert len(set(born)) == 3
    assert all(text_of(START) < at for at in born)
    assert it.outcomes() == {"ran": 3}


def test_no_more_run_at_once_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_module, "RUNNING_MAX", 2)
    it = overlapped("allow_all", RUNNING)
    assert len(it.going) == 2
    assert set(it.whys()) == {"2 run already"}
    monkeypatch.setattr(program_module, "BUFFER_MAX", 2)
    assert len(overlapped("buffer_all", RUNNING).whys()) == 1
