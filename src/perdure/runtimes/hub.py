"""The notifier of one process: tells listeners of one plane what was committed."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final

from perdure.ids import RunId
from perdure.kernel.model import Run
from perdure.stores.runs import Committed, Listener

UNMOVED_MAX: Final = 4_096  # runs known to have no record yet; the oldest is forgotten first

Wake = Callable[[Sequence[Committed]], None]


class Hub:
    """Listeners by run, and a few that hear of every commit. Lives on the event loop's thread."""

    def __init__(self, everyone: Sequence[Listener] = ()) -> None:
        """Tell `everyone` of each batch, before those who listen to single runs."""
        self._everyone = list(everyone)
        self._by_run: dict[RunId, list[Wake]] = {}
        self._unmoved: dict[RunId, None] = {}
        self._hinted: list[Callable[[RunId | None], None]] = []
        self._mailed: list[Callable[[Sequence[RunId]], None]] = []

    @property
    def listened_to(self) -> bool:
        """Whether anybody listens to a single run."""
        return bool(self._by_run)

    def is_unmoved(self, run_id: RunId) -> bool:
        """Whether a run is there and has no record yet; of a run that nobody told of lately, `False`."""
        return run_id in self._unmoved

    def tell_also(self, listener: Listener) -> None:
        """Tell one more listener of every batch."""
        self._everyone.append(listener)

    def on_hint(self, listener: Callable[[RunId | None], None]) -> None:
        """Tell one more listener of every hint of another process."""
        self._hinted.append(listener)

    def on_mail(self, listener: Callable[[Sequence[RunId]], None]) -> None:
        """Tell one more listener of the runs that have a message, or may begin."""
        self._mailed.append(listener)

    def mailed(self, run_ids: Sequence[RunId]) -> None:
        """Tell that these runs have a message, or may begin."""
        for listener in self._mailed:
            listener(run_ids)

    def committed(self, batch: Sequence[Committed]) -> None:
        """Tell of commits made by this process."""
        for one in batch:
            self._note(one.decision.run)
        for listener in self._everyone:
            listener(batch)
        if not self._by_run:
            return
        for run_id, group in groupby(batch, key=lambda one: one.decision.run.id):
            wakes = self._by_run.get(run_id)
            if wakes:
                commits = tuple(group)
                for wake in tuple(wakes):
                    wake(commits)

    def _note(self, run: Run) -> None:
        if run.seq:
            self._unmoved.pop(run.id, None)
            return
        self._unmoved[run.id] = None
        if len(self._unmoved) > UNMOVED_MAX:
            del self._unmoved[next(iter(self._unmoved))]

    def hint(self, run_id: RunId | None) -> None:
        """Tell that another process changed this run, or, with `None`, something."""
        for listener in self._hinted:
            listener(run_id)
        if run_id is None:
            self._unmoved.clear()
        else:
            self._unmoved.pop(run_id, None)
        for known in (run_id,) if run_id is not None else tuple(self._by_run):
            for wake in tuple(self._by_run.get(known, ())):
                wake(())

    def listen(self, run_id: RunId, wake: Wake) -> Callable[[], None]:
        """Call `wake` with each commit of the run until the returned function is called."""
        self._by_run.setdefault(run_id, []).append(wake)

        def stop() -> None:
            wakes = self._by_run.get(run_id, [])
            if wake in wakes:
                wakes.remove(wake)
            if not wakes:
                self._by_run.pop(run_id, None)

        return stop
