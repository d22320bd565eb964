"""A clock that stands still until it is told to move."""

from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """A `perdure.clock.Clock` whose time is the test's."""

    def __init__(self, at: datetime = START) -> None:
        """Stand at `at`."""
        self._at = at
        self._elapsed = 0.0

    def now(self) -> datetime:
        """The time of day, as last set."""
        return self._at

    def monotonic(self) -> float:
        """Seconds that the clock was moved forward; setting it back takes none away."""
        return self._elapsed

    def advance(self, seconds: float) -> datetime:
        """Let `seconds` pass; the time that it is then."""
        if seconds < 0:
            raise ValueError("time passes forward; `set` tells another time of day")
        self._elapsed += seconds
        self._at += timedelta(seconds=seconds)
        return self._at

    def set(self, at: datetime) -> None:
        """Tell another time of day, earlier or later, as when somebody corrects the machine's clock."""
        self._elapsed += max(0.0, (at - self._at).total_seconds())
        self._at = at
