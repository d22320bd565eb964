"""Who hears of a commit."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from perdure.ids import RunId, SessionId
from perdure.kernel.draft import born
from perdure.kernel.model import Birth, ProgramRef
from perdure.runtimes import hub as notifying
from perdure.runtimes.hub import Hub
from perdure.stores.runs import Committed

A, B = RunId("a"), RunId("b")


def commit_of(run_id: RunId, seq: int = 0) -> Committed:
    """A commit of a run that has come to record `seq`."""
    birth = Birth(run_id, "w", ProgramRef("x", None, ""), "t", run_id, SessionId("s"))
    decision = born(birth, {})
    return Committed(replace(decision, run=replace(decision.run, seq=seq)), ())


def test_a_listener_hears_of_its_run_only() -> None:
    """With the commits of one batch together, and in order."""
    hub, heard = Hub(), list[Sequence[Committed]]()
    hub.listen(A, heard.append)
    first, other, second = commit_of(A), commit_of(B), commit_of(A)
    hub.committed([first, other, second])
    assert [one for commits in heard for one in commits] == [first, second]


def test_everyone_hears_of_every_batch() -> None:
    """Also those who were added later."""
    heard: list[str] = []
    hub = Hub([lambda _batch: heard.append("early")])
    hub.tell_also(lambda _batch: heard.append("late"))
    hub.committed([commit_of(A)])
    assert heard == ["early", "late"]


def test_a_listener_that_stopped_hears_nothing() -> None:
    """Stopping twice is as good as once."""
    hub, heard = Hub(), list[Sequence[Committed]]()
    stop = hub.listen(A, heard.append)
    stop()
    stop()
    hub.committed([commit_of(A)])
    hub.hint(A)
    assert heard == []


def test_a_hint_wakes_with_nothing_in_hand() -> None:
    """A hint of one run wakes its listeners; a hint of something wakes all."""
    hub, heard, hints = Hub(), list[tuple[str, int]](), list[RunId | None]()
    hub.listen(A, lambda commits: heard.append(("a", len(commits))))
    hub.listen(B, lambda commits: heard.append(("b", len(commits))))
    hub.on_hint(hints.append)
    hub.hint(A)
    hub.hint(None)
    assert heard == [("a", 0), ("a", 0), ("b", 0)] and hints == [A, None]


def test_a_run_is_unmoved_until_its_first_record() -> None:
    """And one that nobody told of is not known to be."""
    hub = Hub()
    assert not hub.is_unmoved(A)
    hub.committed([commit_of(A), commit_of(B)])
    assert hub.is_unmoved(A) and hub.is_unmoved(B)
    hub.committed([commit_of(A, seq=1)])
    assert not hub.is_unmoved(A) and hub.is_unmoved(B)


def test_what_another_process_may_have_moved_is_not_known_to_be_unmoved() -> None:
    """A hint names a run, or may be of any."""
    hub = Hub()
    hub.committed([commit_of(A), commit_of(B)])
    hub.hint(A)
    assert not hub.is_unmoved(A) and hub.is_unmoved(B)
    hub.hint(None)
    assert not hub.is_unmoved(B)


def test_the_unmoved_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten."""
    monkeypatch.setattr(notifying, "UNMOVED_MAX", 2)
    hub, names = Hub(), [RunId(name) for name in "abc"]
    hub.committed([commit_of(name) for name in names])
    assert [hub.is_unmoved(name) for name in names] == [False, True, True]
