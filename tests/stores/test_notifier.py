"""What is promised of hints: who listens hears of its run, and nothing after it has stopped."""

from collections.abc import Callable, Sequence

import pytest

from perdure.ids import RunId
from perdure.kernel.draft import born
from perdure.runtimes.hub import Hub
from perdure.stores.notifier import Notifier
from perdure.stores.runs import Committed
from tests.support.builders import a_birth, a_run_id

NOTIFIERS: dict[str, Callable[[], Notifier]] = {"hub": Hub}


@pytest.fixture(params=NOTIFIERS)
def notifier(request: pytest.FixtureRequest) -> Notifier:
    """A notifier that nobody listens to yet."""
    return NOTIFIERS[request.param]()


def a_commit(name: str) -> Committed:
    """The birth of a run, as it is told."""
    return Committed(born(a_birth(name), {}), ())


class Ear:
    """What one listener has heard."""

    def __init__(self) -> None:
        self.heard: list[tuple[Committed, ...]] = []

    def wake(self, commits: Sequence[Committed]) -> None:
        self.heard.append(tuple(commits))


def test_a_listener_hears_each_commit_of_its_run_and_of_no_other(notifier: Notifier) -> None:
    ear = Ear()
    notifier.listen(a_run_id("mine"), ear.wake)
    mine, other = a_commit("mine"), a_commit("other")
    notifier.committed([other, mine, mine, other])
    notifier.committed([other])
    assert [commit for batch in ear.heard for commit in batch] == [mine, mine]


def test_a_hint_brings_nothing_but_the_word(notifier: Notifier) -> None:
    mine, other = Ear(), Ear()
    notifier.listen(a_run_id("mine"), mine.wake)
    notifier.listen(a_run_id("other"), other.wake)
    notifier.hint(a_run_id("mine"))
    assert (mine.heard, other.heard) == ([()], [])
    notifier.hint(None)
    assert (mine.heard, other.heard) == ([(), ()], [()])


def test_who_stops_hears_nothing_more(notifier: Notifier) -> None:
    stays, goes = Ear(), Ear()
    notifier.listen(a_run_id("mine"), stays.wake)
    stop = notifier.listen(a_run_id("mine"), goes.wake)
    stop()
    stop()
    notifier.committed([a_commit("mine")])
    notifier.hint(RunId(a_run_id("mine")))
    assert (len(stays.heard), goes.heard) == (2, [])
