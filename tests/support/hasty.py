"""A loop whose time jumps to the next alarm when nothing is under way, so that hours pass in a moment."""

import asyncio
import selectors
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from perdure.clock import SystemClock

LISTENS_S = 0.005  # how long it really waits before it jumps: an answer may be on its way


class Hasty(selectors.DefaultSelector):
    """Waits for what is on its way, and for no alarm."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0  # of the real time, in seconds
        self.woken = 0  # how often there was something to wake for
        self.at_work = 0  # threads

    def select(self, timeout: float | None = None) -> Any:
        """What is ready, or after a jump nothing: the alarm is due."""
        self.woken += 1
        if timeout is None or timeout <= LISTENS_S:
            return super().select(timeout)
        while True:
            events = super().select(LISTENS_S)
            if events or not self.at_work:
                break
        if not events:
            self.ahead += timeout - LISTENS_S
        return events


class HastyLoop(asyncio.SelectorEventLoop):
    """The loop that has it so."""

    def __init__(self) -> None:
        self.hasty = Hasty()
        super().__init__(self.hasty)

    def time(self) -> float:
        """The real time, and what it is ahead."""
        return super().time() + self.hasty.ahead


class HastyClock(SystemClock):
    """The clock of that loop."""

    def __init__(self, loop: HastyLoop) -> None:
        self._hasty = loop.hasty

    def now(self) -> datetime:
        """The time of day there."""
        return super().now() + timedelta(seconds=self._hasty.ahead)

    def monotonic(self) -> float:
        """The seconds there."""
        return super().monotonic() + self._hasty.ahead


def minding(loop: HastyLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the loop wait for what threads do, whatever they take for it."""
    submit = ThreadPoolExecutor.submit

    def done(_future: Future[Any]) -> None:
        loop.hasty.at_work -= 1

    def submitted(threads: ThreadPoolExecutor, work: Any, *given: Any, **named: Any) -> Future[Any]:
        loop.hasty.at_work += 1
        future = submit(threads, work, *given, **named)
        future.add_done_callback(done)
        return future

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submitted)
