"""Runs in hand."""

from msgspec.structs import replace

from perdure.ids import RunId, SessionId
from perdure.kernel.draft import born
from perdure.kernel.limits import INLINE_BYTES_MAX
from perdure.kernel.model import GONE, Advance, Birth, Decision, ProgramRef, Status
from perdure.runner.hot import Delivery, HotRun, HotRuns
from perdure.stores.runs import Loaded, Receipt


def a_birth(name: str) -> Birth:
    """A run's birth."""
    run_id = RunId(name)
    return Birth(run_id, "w", ProgramRef("x", None, ""), "t", run_id, SessionId("s"))


def a_hot(name: str = "r", status: Status = Status.RUNNING) -> HotRun:
    """A loaded run."""
    hot = HotRun(RunId(name))
    run = replace(born(a_birth(name), {}).run, status=status)
    hot.take(Loaded(run, {"a": 1}, bytes_since=0, snapshot_bytes=0))
    return hot


def test_a_commit_is_applied_to_the_cells() -> None:
    """Writes come, gone cells go, and the run is the committed one."""
    hot = a_hot()
    assert hot.run is not None
    after = replace(hot.run, version=2)
    hot.apply(Decision(after, 1, writes={"a": GONE, "b": 2}), Receipt((), 10, None))
    assert hot.cells == {"b": 2} and hot.run == after and hot.bytes_since == 10


def test_a_snapshot_is_due_on_one_side_of_the_bound_only() -> None:
    """When more was written since the last than its size, and than 64 KiB."""
    hot = a_hot()
    hot.bytes_since = INLINE_BYTES_MAX
    assert hot.snapshot_due() is None
    hot.bytes_since += 1
    due = hot.snapshot_due()
    assert due == {"a": 1} and due is not hot.cells
    hot.snapshot_bytes = hot.bytes_since
    assert hot.snapshot_due() is None


def test_a_written_snapshot_starts_the_count_anew() -> None:
    """And tells the run how large its state is."""
    hot = a_hot()
    assert hot.run is not None
    hot.bytes_since = 100_000
    hot.apply(Decision(hot.run, 1), Receipt((), 7, snapshot_bytes=500))
    assert (hot.bytes_since, hot.snapshot_bytes) == (7, 500)
    assert hot.run.state_bytes == 500


def test_resting_runs_are_kept_up_to_the_bound_the_longest_unused_going_first() -> None:
    """And a run that has ended is not kept at all."""
    runs = HotRuns(idle_max=1)
    for name in ("a", "b"):
        hot = runs.at_hand(RunId(name))
        hot.run = a_hot(name).run
        runs.rest(hot)
    assert runs.known(RunId("a")) is None and runs.known(RunId("b")) is not None
    ended = runs.at_hand(RunId("c"))
    ended.run = a_hot("c", Status.COMPLETED).run
    runs.rest(ended)
    assert runs.known(RunId("c")) is None


def test_a_run_with_something_to_come_does_not_rest() -> None:
    """It stays among the active ones."""
    runs = HotRuns(idle_max=1)
    hot = runs.at_hand(RunId("a"))
    hot.queue.append(Delivery(Advance()))
    runs.rest(hot)
    assert runs.active() == (hot,)
