"""Planned times: a year of four zones under every rule, against tables made with `zoneinfo` alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from perdure.errors import Unfit
from perdure.features.schedules import calendar
from perdure.features.schedules.calendar import (
    LATEST,
    MACROS,
    TICK,
    Dst,
    Plan,
    cron_of,
    instants,
    zone_of,
)

MINUTE, FIVE, HOUR, DAY = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(hours=1),
    timedelta(days=1),
)
YEARS = {
    "Europe/Paris": 2026, "America/New_York": 2026, "Asia/Kolkata": 2026, "Pacific/Apia": 2011,
}  # fmt: skip
Matches = Callable[[datetime], bool]
CRONS: dict[str, Matches] = {
    "30 2 * * *": lambda it: (it.hour, it.minute) == (2, 30),
    "0 9 * * 1-5": lambda it: (it.hour, it.minute) == (9, 0) and it.weekday() < 5,
    "15 23 30,31 * *": lambda it: (it.hour, it.minute) == (23, 15) and it.day in (30, 31),
    "0 */6 * * *": lambda it: it.minute == 0 and it.hour % 6 == 0,
}
DENSE: dict[str, Matches] = {
    "*/20 * * * *": lambda it: it.minute % 20 == 0,
    "5,35 1-3 * * *": lambda it: it.minute in (5, 35) and it.hour in (1, 2, 3),
}
CHANGES = {
    "Europe/Paris": ("2026-03-29", "2026-10-25"), "America/New_York": ("2026-03-08", "2026-11-01"),
    "Asia/Kolkata": ("2026-03-29",), "Pacific/Apia": ("2011-04-02", "2011-09-24", "2011-12-30"),
}  # fmt: skip


@cache
def clocks(zone: str) -> dict[datetime, list[datetime]]:
    """Every fifth minute that the clocks of a zone show around its year, and when they show it."""
    shown: dict[datetime, list[datetime]] = {}
    at, place = datetime(YEARS[zone], 1, 1, tzinfo=UTC) - 2 * DAY, ZoneInfo(zone)
    end = datetime(YEARS[zone] + 1, 1, 1, tzinfo=UTC) + 2 * DAY
    while at < end:
        shown.setdefault(at.astimezone(place).replace(tzinfo=None, fold=0), []).append(at)
        at += FIVE
    return shown


def by_hand(
    zone: str, dst: Dst, matches: Matches, start: datetime, end: datetime
) -> list[datetime]:
    """The same from the table: each fifth local minute looked up, and what it is by the rule."""
    shown, found = clocks(zone), set[datetime]()
    local, last = min(shown), max(shown)
    while local <= last:
        if matches(local):
            times = shown.get(local)
            if times is not None:
                found.update(times if dst is Dst.BOTH else times[:1])
            elif dst is not Dst.SKIP:
                after = local
                while after not in shown:
                    after += FIVE
                found.add(shown[after][0])
        local += FIVE
    return sorted(it for it in found if start <= it < end)


def planned(zone: str, dst: Dst, cron: str, start: datetime, end: datetime) -> list[datetime]:
    """What a schedule plans."""
    return list(Plan(start, cron=cron_of(cron, zone, dst)).between(start, end - TICK))


@pytest.mark.parametrize("dst", Dst)
@pytest.mark.parametrize("zone", YEARS)
def test_a_year_is_planned_as_the_clocks_on_the_wall_show_it(zone: str, dst: Dst) -> None:
    start, end = (datetime(YEARS[zone] + it, 1, 1, tzinfo=UTC) for it in (0, 1))
    for cron, matches in CRONS.items():
        assert planned(zone, dst, cron, start, end) == by_hand(zone, dst, matches, start, end), cron


@pytest.mark.parametrize("dst", Dst)
@pytest.mark.parametrize("zone", CHANGES)
def test_around_a_change_of_the_clocks_every_time_is_planned(zone: str, dst: Dst) -> None:
    for change in CHANGES[zone]:
        start = datetime.fromisoformat(change).replace(tzinfo=UTC) - DAY
        for cron, matches in DENSE.items():
            told = planned(zone, dst, cron, start, start + 3 * DAY)
            assert told == by_hand(zone, dst, matches, start, start + 3 * DAY), (cron, change)


@pytest.mark.parametrize(
    ("zone", "local", "skip", "first", "both"),
    [
        ("Europe/Paris", "2026-03-29T02:30", [], ["01:00"], ["01:00"]),
        ("Europe/Paris", "2026-10-25T02:30", ["00:30"], ["00:30"], ["00:30", "01:30"]),
        ("America/New_York", "2026-03-08T02:00", [], ["07:00"], ["07:00"]),
        ("America/New_York", "2026-11-01T01:59", ["05:59"], ["05:59"], ["05:59", "06:59"]),
        ("Asia/Kolkata", "2026-03-29T02:30", ["21:00"], ["21:00"], ["21:00"]),
        ("Pacific/Apia", "2011-12-30T12:00", [], ["10:00"], ["10:00"]),
    ],
)
def test_a_local_time_is_no_moment_or_one_or_two(
    zone: str, local: str, skip: list[str], first: list[str], both: list[str]
) -> None:
    naive = datetime.fromisoformat(local)
    for dst, expected in zip(Dst, (skip, first, both), strict=True):
        found = instants(naive, zone_of(zone), dst)
        assert [it.strftime("%H:%M") for it in found] == expected


def test_even_steps_count_from_the_first_whatever_the_time_is() -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    plan = Plan(first, step=20 * MINUTE, until=first + HOUR)
    assert plan.after(None) == plan.after(first - DAY) == first
    assert plan.after(first) == plan.after(first + 20 * MINUTE - TICK) == first + 20 * MINUTE
    assert plan.after(first + HOUR - TICK) == first + HOUR
    assert plan.after(first + HOUR) is None
    assert Plan(first).after(first) is None
    assert Plan(first, step=3 * DAY).after(LATEST) is None


@pytest.mark.parametrize(
    ("minutes", "count"), [(0, 1), (1, 1), (20, 1), (21, 2), (60, 3), (900, 4)]
)
def test_a_leap_counts_what_lies_before_its_end(minutes: int, count: int) -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    plan = Plan(first, step=20 * MINUTE, until=first + HOUR)
    last = first + (count - 1) * 20 * MINUTE
    assert plan.leap(first, first + minutes * MINUTE) == (count, last)
    assert Plan(first, cron=cron_of("@hourly", "UTC", Dst.SKIP)).leap(first, LATEST) == (1, first)


def test_names_stand_for_cron_text_and_rare_days_are_found() -> None:
    start = datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    for name in MACROS:
        assert cron_of(name, "UTC", Dst.FIRST).after(start) is not None
    assert cron_of("0 0 29 2 *", "UTC", Dst.FIRST).after(start) == datetime(2028, 2, 29, tzinfo=UTC)


def test_the_search_for_what_never_comes_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each year on the day, and at the hour, that the clocks leave out: years cost time, and nobody asks for so many."""
    seen = list[datetime]()

    def noted(local: datetime, *given: Any) -> tuple[datetime, ...]:
        seen.append(local)
        return instants(local, *given)

    monkeypatch.setattr(calendar, "instants", noted)
    never = cron_of("30 2 * 3 0#2", "America/New_York", Dst.SKIP)
    assert never.after(datetime(2026, 1, 1, tzinfo=UTC)) is None
    assert len(seen) == calendar.UNSEEN_MAX
    once_a_rule_has_changed = cron_of("30 2 * 4 0#1", "America/New_York", Dst.SKIP)
    assert once_a_rule_has_changed.after(datetime(1987, 1, 1, tzinfo=UTC)) == datetime(2007, 4, 1, 6, 30, tzinfo=UTC)  # fmt: skip


@pytest.mark.parametrize("text", ["", "banana", "* * * *", "* * * * * *", "61 * * * *", "0 0 31 2 *", "@reboot"])  # fmt: skip
def test_what_is_no_cron_text_is_refused(text: str) -> None:
    with pytest.raises(Unfit, match="cron"):
        cron_of(text, "UTC", Dst.FIRST)


@pytest.mark.parametrize("name", ["", "Europe/Nowhere", "../etc/passwd", "\x00", "/etc"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(Unfit, match="timezone"):
        zone_of(name)
