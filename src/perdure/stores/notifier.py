"""Hints that something was committed. Any of them may be lost: whoever waits for one also polls."""

from collections.abc import Callable, Sequence
from typing import Protocol

from perdure.ids import RunId
from perdure.stores.runs import Committed


class Notifier(Protocol):
    """Tells listeners of one plane what was committed, by this process or another."""

    def committed(self, batch: Sequence[Committed]) -> None:
        """Tell of commits made by this process. Called on the event loop, once a batch."""
        ...

    def hint(self, run_id: RunId | None) -> None:
        """Tell that another process changed this run, or, with `None`, something."""
        ...

    def listen(
        self, run_id: RunId, wake: Callable[[Sequence[Committed]], None]
    ) -> Callable[[], None]:
        """Call `wake` with each commit of the run (with nothing where only a hint came); returns how to stop."""
        ...
