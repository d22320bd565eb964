"""What holds after every commit, whatever the run, the program and the event."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from perdure.ids import Key, RunId, derived_id
from perdure.kernel.decide import HELD, decide
from perdure.kernel.draft import BESIDE
from perdure.kernel.model import (
    TERMINAL,
    Advance,
    Answered,
    Arrived,
    Cancel,
    Decision,
    Due,
    Effect,
    Event,
    Expired,
    Fault,
    Hold,
    Ok,
    Release,
    Run,
    Status,
    Told,
    Wait,
)
from perdure.services.retold import Retold
from tests.support.ledger import assert_gapless, rebuilt, recorded, word_of
from tests.support.life import Life


def check_birth(decision: Decision) -> None:
    """A birth is version 1, ready, without a record."""
    run = decision.run
    assert (run.version, run.seq, run.status, run.ready) == (1, 0, Status.RUNNING, True)
    assert (decision.read_version, decision.steps, run.open) == (0, (), {})


def check_commit(life: Life, before: Run, event: Event, decision: Decision, asked: int) -> None:
    """Hold one decision, already applied to `life`, to every law."""
    if not decision.applied:
        assert decision == Decision(before, before.version, decision.disposition)
        assert decision.disposition.startswith("ignored: ")
        assert asked == 0, "what changes nothing is not asked about"
        return
    check_versions(life, before, decision)
    check_status(life)
    check_records(life, before, decision)
    check_outbox(life, decision)
    check_waits(life, before, decision)
    check_relatives(life, event, decision)
    check_silence(before, event, asked)
    check_usage(life, before, event, decision)
    check_retold(life, decision)


def check_retold(life: Life, decision: Decision) -> None:
    """The records alone tell what happened: decided again, they come out as they are."""
    if life.retold is None:
        life.retold = Retold(life.run.birth, life.inputs, life.program.program)
    if not decision.steps:
        return
    again = life.retold.again(recorded(life.run.birth, decision.steps[0]))
    assert again is not None, "an event explains every record"
    assert again.decision.steps == decision.steps
    assert again.decision.run.version == decision.run.version
    life.retold.go_on(again.decision)
    if not decision.run.unrecorded:
        assert life.retold.cells == life.cells


def check_versions(life: Life, before: Run, decision: Decision) -> None:
    """A commit follows on the version that was read; what a run is from birth does not change."""
    assert decision.read_version == before.version
    assert life.run.version == before.version + 1
    assert life.run.birth == before.birth
    assert before.status not in TERMINAL, "terminal stays terminal"


def check_status(life: Life) -> None:
    """`waiting` means that nothing but waits and reviews is open; `running` that something is to be done."""
    run = life.run
    if run.status in TERMINAL:
        assert (dict(run.open), run.ready, run.held) == ({}, False, None)
        assert (run.error is None) == (run.status is Status.COMPLETED)
        return
    only_waits = all(entry.review or isinstance(entry.what, Wait) for entry in run.open.values())
    assert (run.status is Status.WAITING) == (bool(run.open) and only_waits)
    if run.status is Status.RUNNING and not run.open:
        kept = any(name.startswith(HELD) for name in life.cells)
        assert run.ready or (run.held and kept), "a run always has something to go on with"


def check_records(life: Life, before: Run, decision: Decision) -> None:
    """Records are numbered without gaps, and tell the cells."""
    assert [step.seq for step in decision.steps] == list(range(before.seq + 1, life.run.seq + 1))
    assert_gapless(life.steps)
    assert rebuilt(life.inputs, life.steps, life.run.unrecorded) == life.cells
    if decision.steps:
        assert life.run.unrecorded == {}
    ended = [step for step in life.steps if word_of(step).startswith("ended ")]
    assert len(ended) == (life.run.status in TERMINAL), "the last record is written once"
    assert not ended or life.steps[-1] is ended[0], "nothing follows the last record"
    begun = {step.step_id for step in life.steps if step.status in ("started", "waiting")}
    for step in decision.steps:
        if step.idempotency_key and step.ended_at and not word_of(step).startswith("ended "):
            assert step.step_id in begun, "what comes to an end was begun"


def check_outbox(life: Life, decision: Decision) -> None:
    """The outbox holds exactly the effects that are open, each written down as begun."""
    effects = {key: entry for key, entry in life.run.open.items() if isinstance(entry.what, Effect)}
    assert set(life.outbox) == set(effects)
    assert life.in_review == {key for key, entry in effects.items() if entry.review}
    begun = {step.seq: step for step in decision.steps if step.status == "started"}
    for entry in decision.effects:
        assert life.run.open.get(entry.key) is entry, "what is given up at once is not begun"
        assert begun[entry.seq].step_id == entry.step_id
        assert begun[entry.seq].idempotency_key == entry.key
    _distinct((*decision.arrived, *decision.dropped, *(entry.key for entry in decision.effects)))


def check_waits(life: Life, before: Run, decision: Decision) -> None:
    """The waits kept are exactly those open; a review's effect is open and in review."""
    waits = [entry for entry in life.run.open.values() if isinstance(entry.what, Wait)]
    assert {(entry.key, entry.seq) for entry in waits} == set(life.waits)
    for key, entry in life.run.open.items():
        assert entry.key == key
    reviewed = {entry.what.review_of for entry in waits if isinstance(entry.what, Wait)} - {None}
    assert reviewed == life.in_review
    for entry in decision.closed:
        assert before.open.get(entry.key) is entry, "what is closed was open before"
    for entry in decision.opened:
        assert life.run.open.get(entry.key) is entry, "what is opened is open after"


def check_relatives(life: Life, event: Event, decision: Decision) -> None:
    """Children have the id that follows from their step or their name; the parent hears of the end once."""
    birth = life.run.birth
    steps = {derived_id(birth.id, step.step_id) for step in decision.steps}
    for child in decision.births:
        assert child.run.id in steps | {derived_id(birth.id, it) for it in life.program.named}
        assert child.run.birth.parent_id == birth.id
        assert child.run.birth.depth == birth.depth + 1 <= birth.limits.depth_max
        if birth.deadline is not None:
            assert child.run.birth.deadline is not None
            assert child.run.birth.deadline.at <= birth.deadline.at
    told = [send for send in decision.sends if send.kind == "child"]
    if life.run.status in TERMINAL and birth.parent_key is not None:
        (end,) = told
        assert (end.to, end.key) == (birth.parent_id, birth.parent_key)
    else:
        assert not told
    check_orphans(life, event, decision)
    _distinct(send.id for send in decision.sends)


def check_orphans(life: Life, event: Event, decision: Decision) -> None:
    """A child that is waited for no more hears so, unless it ended by itself.

    Nobody else does, but for a child that is to end and still waited for.
    """
    gone = {
        entry.what.child
        for entry in decision.closed
        if isinstance(entry.what, Wait)
        and not (isinstance(event, Arrived) and event.key == entry.key)
    }
    unwanted = {
        child.run.id
        for child in decision.births
        if child.run.birth.parent_key not in {None, *life.run.open}
    }
    cancelled = {send.to for send in decision.sends if send.kind == "cancel"}
    assert (gone - {None}) | unwanted <= cancelled
    waited_for = {
        entry.what.child for entry in life.run.open.values() if isinstance(entry.what, Wait)
    }
    beside = {
        RunId(name.removeprefix(BESIDE)) for name in life.cells if name.startswith(BESIDE)
    }  # children that nobody waits for: told of a cancel of the run or of its deadline, and of nothing else
    is_end = isinstance(event, Cancel | Expired)
    assert beside <= cancelled or not is_end
    assert cancelled <= gone | unwanted | waited_for | (beside if is_end else set())


def check_silence(before: Run, event: Event, asked: int) -> None:
    """A program is asked nothing while its run is held, has not begun, or is being ended."""
    if isinstance(event, Cancel | Expired | Fault | Hold):
        assert asked == 0
    elif before.held is not None and not isinstance(event, Release):
        assert asked == 0, "nothing is asked while held"
    elif before.ready and not isinstance(event, Advance):
        assert asked == 0, "nothing is asked before the beginning"


def check_usage(life: Life, before: Run, event: Event, decision: Decision) -> None:
    """The run's counters are the sums of what its outcomes used."""
    if isinstance(event, Arrived) and life.run.usage.effects > before.usage.effects:
        extra = getattr(event.outcome, "usage", {})
        sums = {
            name: getattr(life.used, name) + extra.get(name, 0)
            for name in life.used.__struct_fields__
        }
        life.used = replace(life.used, **{**sums, "effects": life.used.effects + 1})
    elif life.run.usage.effects > before.usage.effects:
        assert isinstance(event, Answered), "an outcome arrives, or a person tells it"
        life.used = replace(life.used, effects=life.used.effects + 1)
    assert life.run.usage == life.used
    assert len(decision.arrived) <= 1


def check_repetition(life: Life, before: Run, event: Event, at: datetime) -> None:
    """Delivering again is as good as once, and nothing moves what has ended."""
    events = [bound(event, before)] if not isinstance(event, Told) else []
    if life.run.status in TERMINAL:
        events += sample_events(before)
    asked = life.program.asked
    for repeated in events:
        decision = decide(life.run, repeated, life.program, life.cells, at)
        assert not decision.applied, f"{repeated!r} was delivered twice and acted twice"
        assert decision == Decision(life.run, life.run.version, decision.disposition)
    assert life.program.asked == asked


def bound(event: Event, before: Run) -> Event:
    """The event as whoever brings it holds it: bound to the opening that it was meant for."""
    if isinstance(event, Answered | Due) and event.opened_seq is None and event.key in before.open:
        return replace(event, opened_seq=before.open[event.key].seq)
    return event


def sample_events(before: Run) -> list[Event]:
    """One event of every kind, about everything that was open."""
    events: list[Event] = [
        Advance(), Cancel(), Expired(before.updated_at), Hold(), Release(), Told("late"), Fault("late"),
    ]  # fmt: skip
    for key, entry in before.open.items():
        events += [
            Arrived(key, Ok("late")),
            Answered(key, {"response": "late"}, opened_seq=entry.seq),
            Due(key, entry.seq),
        ]
    return events


def _distinct(values: Iterable[Key | str]) -> None:
    seen = list(values)
    assert len(seen) == len(set(seen)), "each once"
