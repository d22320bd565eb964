"""When a schedule is planned to run: a pure function of its spec, whatever the time is now.

Cron text is read on the clock on the wall: `cronsim` walks over naive local times, and one
function here, `instants`, says which moments a local time is.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from itertools import groupby, islice
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from perdure.errors import Unfit

MACROS: Final = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
FIELDS: Final = 5
TICK: Final = timedelta(microseconds=1)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)  # beyond this nothing is planned
KNOWN_MAX: Final = 1_024  # texts that were read and are not read again
UNSEEN_MAX: Final = (
    64  # days in a row whose local times are no moment, before the search is given up
)


class Dst(StrEnum):
    """What becomes of a local time that the clocks leave out or show twice."""

    SKIP = "skip"  # left out: never; twice: the first time
    FIRST = "first"  # left out: as soon as the clocks are past it; twice: the first time
    BOTH = "both"  # left out: as `first`; twice: both times


def instants(local: datetime, zone: tzinfo, dst: Dst) -> tuple[datetime, ...]:
    """The moments at which the clocks of `zone` show the naive time `local`: none, one or two, in UTC."""
    early, late = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    before, after = early.utcoffset(), late.utcoffset()
    assert before is not None
    assert after is not None
    one, two = early.astimezone(UTC), late.astimezone(UTC)
    if before == after:
        return (one,)
    if before > after:
        return (one, two) if dst is Dst.BOTH else (one,)
    return () if dst is Dst.SKIP else (_end_of_gap(two, one, zone),)


def _end_of_gap(low: datetime, high: datetime, zone: tzinfo) -> datetime:
    """The first moment after a gap, to the second: between `low`, before it, and `high`, at its end or after."""
    after = high.astimezone(zone).utcoffset()
    seconds = round((high - low).total_seconds())
    first, last = 0, seconds
    while last - first > 1:
        middle = (first + last) // 2
        if (low + timedelta(seconds=middle)).astimezone(zone).utcoffset() == after:
            last = middle
        else:
            first = middle
    return low + timedelta(seconds=last)


class WallClock(NamedTuple):
    """Times of the day by the clock on the wall of a place."""

    text: str
    zone: tzinfo
    dst: Dst

    def after(self, at: datetime) -> datetime | None:
        """The first moment after `at`, or `None` where there is none."""
        found = [self._after(at, fold) for fold in ((0, 1) if self.dst is Dst.BOTH else (0,))]
        return min((it for it in found if it is not None), default=None)

    def _after(self, at: datetime, fold: int) -> datetime | None:
        """The first after `at` of those that come first, or second, where the clocks show a time twice.

        Each of the two rows of moments grows with local time, so the first that is late enough is it.
        """
        try:
            times = CronSim(self.text, self._start(at, fold))
            for _, day in islice(groupby(times, datetime.date), UNSEEN_MAX):
                for local in day:
                    found = instants(local, self.zone, self.dst)
                    if found and found[fold % len(found)] > at:
                        return found[fold % len(found)]
        except OverflowError:
            pass  # the calendar ends
        return None

    def _start(self, at: datetime, fold: int) -> datetime:
        """A local time of which, and before which, all moments are at `at` or earlier."""
        here = at.astimezone(self.zone)
        second = here.replace(fold=1)
        if fold == 1 and here.fold == 0 and here.utcoffset() != second.utcoffset():
            offset = second.utcoffset()
            assert offset is not None
            return (at.astimezone(UTC) + offset).replace(tzinfo=None)
        return here.replace(tzinfo=None, fold=0)


class Plan(NamedTuple):
    """All times that a schedule is planned for. Without cron and step it is `first` alone."""

    first: datetime
    step: timedelta | None = None
    cron: WallClock | None = None
    until: datetime | None = None  # the last moment that may be planned

    def after(self, at: datetime | None) -> datetime | None:
        """The first planned time after `at`, or of all; `None` where there is none."""
        found = self._after(self.first - TICK if at is None else max(at, self.first - TICK))
        if found is None or found > (self.until or LATEST):
            return None
        return found

    def _after(self, at: datetime) -> datetime | None:
        if self.cron is not None:
            return self.cron.after(at)
        if at < self.first:
            return self.first
        if self.step is None:
            return None
        return self._nth((at - self.first) // self.step + 1)

    def _nth(self, count: int) -> datetime | None:
        assert self.step is not None
        try:
            return self.first + count * self.step
        except OverflowError:
            return None

    def leap(self, planned: datetime, end: datetime) -> tuple[int, datetime]:
        """How many are planned from `planned` on and before `end`, and the last of them; at least the one.

        Counted where they come in even steps; elsewhere it is the one.
        """
        if self.step is None or end <= planned:
            return 1, planned
        last = end if self.until is None else min(end, self.until + TICK)
        more = max(0, (last - planned - TICK) // self.step)
        return more + 1, planned + more * self.step

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """The planned times from `start` to `end`, both included."""
        planned = self.after(start - TICK)
        while planned is not None and planned <= end:
            yield planned
            planned = self.after(planned)


@lru_cache(KNOWN_MAX)
def cron_of(text: str, timezone: str, dst: Dst) -> WallClock:
    """Read cron text of five fields, or a name such as `@daily`. Raises `Unfit` where it is none, or never comes."""
    written = MACROS.get(text.strip().lower(), text.strip())
    if len(written.split()) != FIELDS:
        raise Unfit("cron has five fields: minute, hour, day, month, weekday.", field="cron")
    try:
        CronSim(written, LATEST.replace(tzinfo=None))
    except CronSimError as error:
        raise Unfit(f"cron cannot be read: {error}.", field="cron") from error
    return WallClock(" ".join(written.split()), zone_of(timezone), dst)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises `Unfit`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Unfit("timezone is an IANA name such as `Europe/Paris`.", field="timezone") from error
