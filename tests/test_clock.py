"""Times are aware, in UTC, and go through their text unchanged."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.clock import SystemClock, text_of, time_of

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda it: timezone(timedelta(minutes=it)))
# Away from the first and last year, where another offset leaves the calendar.
TIMES = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=OFFSETS)  # noqa: DTZ001


def test_the_clock_tells_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_measured_time_does_not_run_backwards() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()


def test_a_time_is_written_with_microseconds_and_its_offset() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert text_of(at) == "2026-01-02T03:04:05.000000+00:00"


@given(TIMES)
def test_a_time_is_written_as_the_standard_library_writes_it(at: datetime) -> None:
    assert text_of(at) == at.astimezone(UTC).isoformat("T", "microseconds")


@given(TIMES)
def test_a_time_is_written_in_utc_and_read_as_the_same_time(at: datetime) -> None:
    assert text_of(at).endswith("+00:00")
    assert time_of(text_of(at)) == at


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00", "2026-01-02T03:04:05"]
)
def test_a_text_is_read_as_utc_whatever_its_offset(text: str) -> None:
    assert time_of(text) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        time_of(text)
