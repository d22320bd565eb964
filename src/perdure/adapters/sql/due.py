"""The time from which a plane has something to do, told to the control store before it is true."""

from collections.abc import Callable
from datetime import timedelta

from perdure.clock import text_of, time_of
from perdure.kernel.model import Effect, Open
from perdure.stores.planes import RELY_S
from perdure.stores.runs import Commit

Note = Callable[[str, str], str]  # (due, at) → the time that stands then


def due_of(commit: Commit) -> str | None:
    """When a commit gives its plane something to do: at once, when a lease ends, or when a wait is due."""
    decision = commit.decision
    at = decision.run.updated_at
    times: list[str] = []
    if (
        decision.read_version == 0
        or decision.births
        or decision.sends
        or decision.redo
        or decision.run.ready
    ):
        times.append(at)
    if decision.effects:
        times.append(commit.leased_until or at)
    times += [due for entry in decision.opened if (due := _due_of(entry, at)) is not None]
    return min(times, default=None)


def _due_of(entry: Open, at: str) -> str | None:
    """When a wait has something to do: at its time; at once, where an event may be kept for it."""
    wait = entry.what
    if isinstance(wait, Effect) or wait.match is not None:
        return at
    return None if wait.until is None else text_of(wait.until)


class DueMark:
    """What the control store says of one plane, as this process may rely on it. Belongs to the writer's thread."""

    def __init__(self, note: Note) -> None:
        """Tell by `note`; rely on nothing yet."""
        self._note = note
        self._stands: str | None = None
        self._until = ""  # the time from which it has to be said again

    def cover(self, due: str, at: str) -> None:
        """Have the control store know, before the commit, that the plane is due at `due`."""
        if self._stands is not None and self._stands <= due and at < self._until:
            return
        self._stands = self._note(due, at)
        self._until = text_of(time_of(at) + timedelta(seconds=RELY_S))
