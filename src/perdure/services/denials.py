"""Refusals on the record: the first of its kind at once, what follows it soon after as a count.

So a flood of them, from one address or one credential, costs a few entries a minute and a bounded
memory. Counts that were not written down when the process ends are lost; first ones never are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from perdure.clock import text_of
from perdure.identity.audit import DENIED, Entry
from perdure.runtimes.control import ControlContext
from perdure.services.audit import note

WINDOW_S: Final = 60.0  # refusals alike within it are one entry and a count
KINDS_MAX: Final = 1_000  # kept apart at once; what is beyond is counted together
BEYOND: Final = "(many)"  # the actor and the address of those


class Kind(NamedTuple):
    """What makes two refusals alike."""

    tenant: str
    address: str
    actor: str
    action: str
    reason_code: str


@dataclass(slots=True)
class Window:
    """Refusals of one kind since the first of them."""

    entry: Entry
    ends: float
    count: int = 0
    last_at: str = ""


class Denials:
    """The refusals of one process. Lives on the event loop."""

    def __init__(self, control: ControlContext) -> None:
        """Write to the chains of `control`."""
        self._control = control
        self._windows: dict[Kind, Window] = {}

    async def refused(self, entry: Entry) -> None:
        """Write a refusal down, or count it where one of its kind was written lately."""
        now, at = self._control.clock.monotonic(), text_of(self._control.clock.now())
        entry = entry._replace(outcome=DENIED, at=at)
        kind = _kind_of(entry)
        if kind not in self._windows and len(self._windows) >= KINDS_MAX:
            entry = entry._replace(actor=BEYOND, address=BEYOND, subject="")
            kind = _kind_of(entry)
        window = self._windows.get(kind)
        if window is not None and now < window.ends:
            window.count += 1
            window.last_at = at
            return
        self._windows[kind] = Window(entry, now + WINDOW_S)
        if window is not None:
            await self._told(window)
        await note(self._control, entry)

    async def flush(self, *, every: bool = False) -> None:
        """Write down the counts whose time is over, or all of them, and forget them."""
        now = self._control.clock.monotonic()
        over = [kind for kind, window in self._windows.items() if every or now >= window.ends]
        for window in self._taken(over):
            await self._told(window)

    def _taken(self, kinds: list[Kind]) -> Iterator[Window]:
        for kind in kinds:
            if (window := self._windows.pop(kind, None)) is not None:
                yield window

    async def _told(self, window: Window) -> None:
        if window.count:
            facts = {**window.entry.facts, "repeated": window.count, "since": window.entry.at}
            await note(self._control, window.entry._replace(at=window.last_at, facts=facts))


def _kind_of(entry: Entry) -> Kind:
    return Kind(entry.tenant, entry.address, entry.actor, entry.action, entry.reason_code)
