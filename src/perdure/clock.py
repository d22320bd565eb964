"""The only reader of the time: every other room is told what time it is."""

import time
from datetime import UTC, datetime
from typing import Protocol

from orjson import dumps


class Clock(Protocol):
    """What tells the time; a test brings its own."""

    def now(self) -> datetime:
        """The time of day, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for measuring how long something took."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time of day, aware and in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()


def text_of(at: datetime) -> str:
    """Write a time as RFC 3339 in UTC with microseconds, as ledger, cells and wire show it."""
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    if at.microsecond:  # else it would be left out
        return dumps(at)[1:-1].decode()  # in a quarter of the time: every record has two of them
    return at.isoformat("T", "microseconds")


def time_of(text: str) -> datetime:
    """Read an RFC 3339 time; a text without an offset is taken as UTC. Raises `ValueError`."""
    at = datetime.fromisoformat(text)
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError as beyond:  # at the ends of the calendar
        raise ValueError(f"no time in UTC: {text}") from beyond
