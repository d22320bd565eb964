"""Wrong credentials are answered later and later, by address, and never for ever."""

import pytest

from perdure.api.lockout import ADDRESSES_MAX, Lockout
from perdure.errors import TooMany
from tests.support.clock import FakeClock


def a_lockout() -> tuple[Lockout, FakeClock]:
    """A lock after three failures, for one second, two, four … up to eight."""
    clock = FakeClock()
    return Lockout(clock, after=3, base_s=1, longest_s=8), clock


def test_a_few_failures_are_forgiven() -> None:
    lockout, _ = a_lockout()
    for _ in range(3):
        lockout.failed("here")
    with pytest.raises(TooMany) as locked:
        lockout.failed("here")
    assert locked.value.facts["retry_after"] == 1


def test_each_further_failure_locks_twice_as_long_up_to_the_longest() -> None:
    lockout, clock = a_lockout()
    for _ in range(3):
        lockout.failed("here")
    for seconds in (1, 2, 4, 8, 8):
        clock.advance(seconds - 0.5)
        with pytest.raises(TooMany):
            lockout.failed("here")
        clock.advance(0.5)
        lockout.failed("here")


def test_one_address_says_nothing_of_another() -> None:
    lockout, _ = a_lockout()
    for _ in range(3):
        lockout.failed("here")
    lockout.failed("there")


def test_a_success_forgets_the_failures() -> None:
    lockout, _ = a_lockout()
    for _ in range(3):
        lockout.failed("here")
    lockout.succeeded("here")
    for _ in range(3):
        lockout.failed("here")


def test_what_is_remembered_is_bounded() -> None:
    lockout, _ = a_lockout()
    for number in range(ADDRESSES_MAX + 10):
        lockout.failed(str(number))
    assert len(lockout._failures) == ADDRESSES_MAX
