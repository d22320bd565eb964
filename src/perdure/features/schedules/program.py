"""The program `schedule`: a run whose children are occurrences, and whose ledger says of each planned time what became of it.

It sleeps until the next planned time, and whenever it is asked it accounts for every planned time
that has passed, in order, each once: started, or skipped with the reason. A child's id follows
from the schedule and the planned time.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from msgspec.structs import replace

from perdure.bundles.bundle import Bundle
from perdure.clock import text_of, time_of
from perdure.features.schedules.calendar import TICK, Plan
from perdure.features.schedules.durations import duration_of
from perdure.features.schedules.spec import Overlap, jitter_of, plan_of
from perdure.features.schedules.standing import CHILD_STEPS, Standing
from perdure.ids import SessionId, derived_id
from perdure.kernel.model import (
    Arrived,
    Due,
    Event,
    Failed,
    Note,
    Ok,
    ProgramRef,
    Reason,
    Start,
    Told,
    Wait,
)
from perdure.kernel.program import Done, Moment, Move, Program, View
from perdure.kernel.values import Json
from perdure.services.bundles import KIND as FLOW
from perdure.services.schedules import OCCURRENCE, RECURS, SCHEDULE
from perdure.stores.bundles import mark_of

LATE: Final = timedelta(minutes=1)  # what starts later than this was caught up
IN_TIME: Final = timedelta(
    seconds=5
)  # no timer is exact: what is no later than this was not missed
RUNNING_MAX: Final = 500  # occurrences at once
BUFFER_MAX: Final = 1_000  # planned times that wait for the ones before
BACKFILL_MAX: Final = 1_000  # planned times that are to be made up for
EACH_MAX: Final = 1_000  # skips in a row with a record of their own; the rest of the row has one
PER_MOVE: Final = 25  # planned times judged in one move
TIMER: Final = "timer"
TARGET: Final = "run_target"
OUTRUN: Final = "a later one took its place"
HEADING_OUT: Final = frozenset({Overlap.CANCEL_OTHER, Overlap.TERMINATE_OTHER})


class Home(NamedTuple):
    """What every occurrence runs."""

    program: ProgramRef
    workflow_id: str


class Schedules:
    """The program of all schedules of one flow."""

    def __init__(self, home: Home) -> None:
        """Start runs of `home`."""
        self._home = home

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Account for what has passed, and name what is to begin."""
        turn = Turn(cells, moment, self._home)
        match event:
            case Arrived():
                turn.ended(event)
            case Told(message=message):
                turn.told(message)
            case _:
                if isinstance(event, Due):
                    turn.at.count(timer=None)
                turn.catch_up()
        turn.take_terms()
        return turn.move()


def schedule_program(ref: ProgramRef, bundle: Bundle | None) -> Program:
    """The program of a schedule, which is pinned to the bundle of what it runs."""
    workflow_id = ref.name if bundle is None else bundle.workflow_id(ref.name)
    return Schedules(Home(ProgramRef(FLOW, ref.bundle, ref.name), workflow_id))


class Turn:
    """One move of a schedule while it is put together."""

    def __init__(self, cells: View, moment: Moment, home: Home) -> None:
        """Begin where the cells say that the schedule stands."""
        self.cells, self.moment, self.home = cells, moment, home
        self.at = Standing(cells, moment.run.created_at)
        self.spec = self.at.spec
        self.plan: Plan = plan_of(self.spec, time_of(self.at.counts.anchor))
        self.jitter = jitter_of(self.spec, moment.run.id)
        window = duration_of(self.spec["catchup_window"], "catchup_window")
        self.window = max(window, IN_TIME)
        self.overlap = Overlap(self.spec["overlap"])
        self.starts: list[Start] = []
        self.notes: list[Note] = []
        self.withdraw: list[str] = []
        self.cancel: list[str] = []
        self.hold: str | None = None
        self.more = False

    # --- planned times -----------------------------------------------------------------------

    def next_planned(self) -> datetime | None:
        """The first planned time that is not accounted for."""
        counts = self.at.counts
        if self.spec["repeat_count"] is not None and counts.planned >= self.spec["repeat_count"]:
            return None
        return self.plan.after(None if counts.after is None else time_of(counts.after))

    def catch_up(self) -> None:
        """Account for the planned times that have passed, as many as one move may."""
        for _ in range(PER_MOVE):
            planned = self.next_planned()
            if planned is None or planned + self.jitter > self.moment.at:
                return
            self._account(planned)
        self.more = True

    def _account(self, planned: datetime) -> None:
        why, end = self._missed(planned)
        last, count = planned, 1
        if why is None:
            self._admit(planned)
        else:
            count, last = self._leap(planned, end)
            self._pass_over(text_of(planned), text_of(last), count, why)
        planned_so_far = self.at.counts.planned + count
        self.at.count(after=text_of(last), last=text_of(last), planned=planned_so_far)

    def _outcome(self, planned: datetime) -> str:
        return "caught_up" if self.moment.at - planned - self.jitter > LATE else "ran"

    def _missed(self, planned: datetime) -> tuple[str | None, datetime]:
        """Why a time that has passed is not made up for, and until when that holds."""
        due, now, held = planned + self.jitter, self.moment.at, self.moment.held
        if self.at.closed is not None:
            return self.at.closed, now - self.jitter
        if now - due > self.window:
            horizon = now - self.window - self.jitter
            if held is not None:
                horizon = min(horizon, max(planned + TICK, time_of(held.at) - self.jitter))
            if held is None or due < time_of(held.at):
                return f"older than the catch-up window of {self.spec['catchup_window']}", horizon
        if held is not None and due >= time_of(held.at):
            why = f"paused: {held.reason}" if held.reason else "paused"
            return why, now - self.jitter
        return None, now

    def _leap(self, planned: datetime, end: datetime) -> tuple[int, datetime]:
        """How many times at once are passed over, and the last: one, but for the rest of a long row."""
        if self.at.gap is None or self.at.gap["each"] < EACH_MAX:
            return 1, planned
        count, last = self.plan.leap(planned, end)
        most: int | None = self.spec["repeat_count"]
        left = count if most is None else most - self.at.counts.planned
        if count <= left:
            return count, last
        assert self.plan.step is not None
        return left, planned + (left - 1) * self.plan.step

    def _pass_over(self, first: str, last: str, count: int, why: str) -> None:
        """Write down a skip; the rest of a long row in one record, once it is known how long it is."""
        gap = self.at.gap or {"each": 0}
        if "why" in gap and gap["why"] != why:
            self._close_row()
            gap = {"each": gap["each"]}
        if gap["each"] < EACH_MAX:
            self.at.gap = {"each": gap["each"] + 1}
            self._tell(first, why)
            return
        self.at.gap = {
            "each": gap["each"], "why": why, "first": gap.get("first", first), "last": last,
            "count": gap.get("count", 0) + count,
        }  # fmt: skip

    def _close_row(self) -> None:
        gap, self.at.gap = self.at.gap, None
        if gap is not None and "why" in gap:
            row = {"planned_until": gap["last"], "count": gap["count"]}
            self._tell(gap["first"], gap["why"], **row)

    # --- starting and skipping ---------------------------------------------------------------

    def _admit(self, at: datetime) -> None:
        """Start what is planned, unless an earlier one still runs and the schedule does not overlap."""
        planned, outcome = text_of(at), self._outcome(at)
        busy = self.at.busy()
        if self.overlap in HEADING_OUT and self._is_outrun(at):
            self.skip(planned, OUTRUN)
        elif not (busy or self.at.buffer) or self.overlap is Overlap.ALLOW_ALL:
            self.start(planned, outcome)
        else:
            _OVERLAPS[self.overlap](self, planned, outcome)

    def _is_outrun(self, planned: datetime) -> bool:
        """Whether the next planned time has come as well, and would have this one end as it begins."""
        most, following = self.spec["repeat_count"], self.plan.after(planned)
        if following is None or following + self.jitter > self.moment.at:
            return False
        is_last = most is not None and self.at.counts.planned + 1 >= most
        return not is_last and self._missed(following)[0] is None

    def skip(self, planned: str, why: str, cause: str = "planned") -> None:
        """Have it written down that a time is not run, and why; of a long row of planned ones in one record."""
        if cause == "planned":
            self._pass_over(planned, planned, 1, why)
        else:
            self._tell(planned, why, cause)

    def _tell(self, planned: str, why: str, cause: str = "planned", **row: Json) -> None:
        told = {
            "planned_at": planned,
            "outcome": "skipped",
            "cause": cause,
            "why": why,
            "run_id": None,
        }
        self.notes.append(Note(TARGET, OCCURRENCE, {"occurrence": {**told, **row}}))
        self.at.count(skipped=self.at.counts.skipped + row.get("count", 1))

    def start(
        self, planned: str, outcome: str, cause: str = "planned", why: str | None = None
    ) -> None:
        """Start an occurrence."""
        why_not = f"{RUNNING_MAX} run already" if len(self.at.running) >= RUNNING_MAX else None
        if why_not := self.at.closed or why_not:
            self.skip(planned, why_not, cause)
            return
        self._close_row()
        counts, identity = self.at.counts, planned
        if cause != "planned":
            identity = f"{planned}#{counts.extra}"
            self.at.count(extra=counts.extra + 1)
        tag, schedule = f"run:{identity}", self.moment.run
        told = {
            "planned_at": planned, "outcome": outcome, "cause": cause, "why": why,
            "run_id": derived_id(schedule.id, tag),
        }  # fmt: skip
        session = self._session(planned)
        payload: dict[str, Json] = {
            "workflow_id": self.home.workflow_id, "async": True, "wait": True, "occurrence": told,
        }  # fmt: skip
        self.starts.append(
            Start(
                tag=tag, node_id=TARGET, program=self.home.program, workflow_id=self.home.workflow_id,
                cells=self._inputs(), payload=payload, session_id=session, identity=tag,
                limits=replace(schedule.limits, steps_max=self.cells.get(CHILD_STEPS, schedule.limits.steps_max)),
                deadline=self._deadline(),
            )
        )  # fmt: skip
        self.at.running[tag] = {"planned_at": planned, "cause": cause}
        self.at.count(started=self.at.counts.started + 1)

    def _inputs(self) -> Mapping[str, Json]:
        """The cells that every occurrence begins with."""
        given = {name: self.cells[name] for name in self.cells.names("in/")}
        runtime = ("rt/_runtime", "rt/_limits")
        recurs = {RECURS: True} if self.spec["interval"] or self.spec["cron"] else {}
        return given | recurs | {name: self.cells[name] for name in runtime if name in self.cells}

    def _deadline(self) -> str | None:
        """When an occurrence that starts now is to end."""
        longest = self.spec.get("run_timeout")  # which older schedules do not have
        if longest is None:
            return None
        return text_of(self.moment.at + duration_of(longest, "run_timeout"))

    def _session(self, planned: str) -> SessionId | None:
        """The session of an occurrence; with a shared context it is the schedule's own."""
        if self.spec["share_context"]:
            return None
        schedule = f"scheduled:{self.moment.run.id}"
        if self.spec["repeat_count"] is None:
            return SessionId(f"{schedule} : {planned}")
        return SessionId(f"{schedule}:{self.at.counts.started}")

    def replace(self, planned: str, outcome: str) -> None:
        """Have what runs end, and start this one when it has."""
        for old in self.at.buffer:
            self.skip(old["planned_at"], OUTRUN)
        self.at.buffer = [{"planned_at": planned, "outcome": outcome}]
        for tag in self.at.busy():
            if not self.at.running[tag].get("ending"):
                self.at.running[tag] = {**self.at.running[tag], "ending": True}
                self.cancel.append(tag)

    def supplant(self, planned: str, outcome: str) -> None:
        """Give up what runs, and start this one at once."""
        for tag in self.at.busy():
            del self.at.running[tag]
            self.withdraw.append(tag)
        self.start(planned, outcome)

    def buffered(self, planned: str, outcome: str, most: int) -> None:
        """Let it wait for the ones before, if there is room."""
        if len(self.at.buffer) >= most:
            waiting = "one waits" if most == 1 else f"{most} wait"
            self.skip(planned, f"the one before still runs, and {waiting} already")
        else:
            self.at.buffer.append({"planned_at": planned, "outcome": outcome})

    # --- what comes in -----------------------------------------------------------------------

    def ended(self, event: Arrived) -> None:
        """An occurrence has ended: count it, and start what waited for it."""
        self.at.running.pop(event.tag, None)
        if isinstance(event.outcome, Ok) and not _says_no(event.outcome.result):
            self.at.count(failures=0)
        elif not (isinstance(event.outcome, Failed) and event.outcome.code == "child_cancelled"):
            counts = self.at.counts
            self.at.count(failed=counts.failed + 1, failures=counts.failures + 1)
            self._pause_itself()
        self._go_on()

    def _pause_itself(self) -> None:
        most, failures = self.spec["pause_after_failures"], self.at.counts.failures
        if most is not None and failures >= most:
            self.hold = f"{failures} failures in a row"
            self.at.count(failures=0)

    def _go_on(self) -> None:
        """Start what waits and may begin now."""
        together = self.overlap is Overlap.ALLOW_ALL
        while self.at.buffer and (together or not self.at.busy()):
            it = self.at.buffer.pop(0)
            self.start(it["planned_at"], it["outcome"], why="waited for the one before")
        while self.at.backfill and (together or not self._backfills()):
            self.start(self.at.backfill.pop(0), "caught_up", "backfill")

    def _backfills(self) -> bool:
        return any(it["cause"] == "backfill" for it in self.at.running.values())

    def told(self, message: Json) -> None:
        """Take a word that a command brought."""
        match message["do"]:
            case "trigger":
                self.start(self.moment.text, "ran", "trigger")
            case "backfill":
                self.at.backfill += message["planned"]
                self._go_on()
            case "deprecate":
                self._close(mark_of(message["marks"], self.home.program.name))
            case _:
                self.at.terms = message
                self.catch_up()

    def _close(self, mark: Json) -> None:
        """Start nothing while the flow has a mark; where it is taken away, pass over what was planned meanwhile."""
        self.more = True
        while self.at.closed is not None and self.more:
            self.more = False
            self.catch_up()
        self.more = False
        self.at.closed = None if mark is None else _closed_by(mark)
        if self.at.closed is not None:
            for old in self.at.buffer:
                self.skip(old["planned_at"], self.at.closed)
            for planned in self.at.backfill:
                self.skip(planned, self.at.closed, "backfill")
            self.at.buffer, self.at.backfill = [], []

    def take_terms(self) -> None:
        """Take new terms, once all that has passed under the old ones is accounted for."""
        message = self.at.terms
        if message is None or self.more:
            return
        self.at.terms = None
        self._change(message)
        self.overlap = Overlap(self.spec["overlap"])
        self._go_on()

    def _change(self, message: Json) -> None:
        """Take new terms: at once, from the last planned time on; or from the next one on, which stays."""
        counts, pending = self.at.counts, self.next_planned()
        if message["at_once"]:
            # What was planned since then is late on purpose, and still to be run.
            passed = text_of(self.moment.at - self.jitter)
            after = passed if counts.after is None else max(passed, counts.after)
            self.at.count(anchor=counts.last or counts.anchor, after=after)
        elif pending is not None:
            self.at.count(anchor=text_of(pending), after=text_of(pending - TICK))
        self.at.spec = self.spec = {
            **self.spec, **message["changes"], "updated_at": self.moment.text,
        }  # fmt: skip
        self.plan = plan_of(self.spec, time_of(self.at.counts.anchor))
        self.jitter = jitter_of(self.spec, self.moment.run.id)

    # --- the move ----------------------------------------------------------------------------

    def move(self) -> Move:
        """The move that all this comes to."""
        waits: tuple[Wait, ...] = ()
        end = None
        if not self.more:
            self._close_row()
            planned = self.next_planned()
            waits = self._timer(planned)
            if planned is None and self.at.idle():
                end = Done({"success": True, "result": self._result()})
        return Move(
            writes=self.at.writes(), waits=waits, starts=tuple(self.starts), end=end,
            withdraw=tuple(self.withdraw), notes=tuple(self.notes), cancel=tuple(self.cancel),
            hold=self.hold, more=self.more, path=(TARGET,) if self.starts else (),
        )  # fmt: skip

    def _result(self) -> dict[str, Json]:
        counts = self.at.counts
        return {"started": counts.started, "skipped": counts.skipped, "failed": counts.failed}

    def _timer(self, planned: datetime | None) -> tuple[Wait, ...]:
        """Have the one open timer be that of the next planned time."""
        due = None if planned is None else text_of(planned + self.jitter)
        open_ = self.at.counts.timer
        if due == open_:
            return ()
        self.at.count(timer=due)
        if open_ is not None:
            self.withdraw.append(TIMER)
        if planned is None or due is None:
            return ()
        first = self.at.counts.planned == 0
        wait = Wait(
            tag=TIMER, node_id="wait_start" if first else "wait_interval", reason=Reason.UNTIL,
            kind="wait_until", until=planned + self.jitter, allow_free_text=False,
            details={"kind": SCHEDULE, "planned_at": text_of(planned)}, payload={"until": due},
        )  # fmt: skip
        return (wait,)


def _closed_by(mark: Mapping[str, Json]) -> str:
    """Why nothing is started of a flow with this mark."""
    reason = mark.get("reason")
    return f"the flow is deprecated: {reason}" if reason else "the flow is deprecated"


def _says_no(result: Json) -> bool:
    """Whether a flow that came to its end says itself that it failed."""
    output = result.get("output") if isinstance(result, dict) else None
    return isinstance(output, dict) and output.get("success") is False


_OVERLAPS: Final[Mapping[Overlap, Callable[[Turn, str, str], None]]] = {
    Overlap.SKIP: lambda turn, planned, _: turn.skip(planned, "the one before still runs"),
    Overlap.BUFFER_ONE: lambda turn, planned, outcome: turn.buffered(planned, outcome, 1),
    Overlap.BUFFER_ALL: lambda turn, planned, outcome: turn.buffered(planned, outcome, BUFFER_MAX),
    Overlap.CANCEL_OTHER: Turn.replace,
    Overlap.TERMINATE_OTHER: Turn.supplant,
}
