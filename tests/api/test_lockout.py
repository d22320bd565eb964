"""Wrong credentials are answered later and later, each by itself, and never for ever."""

import pytest

from perdure.api.lockout import CREDENTIALS_EACH, FORGOTTEN_AFTER_S, KEPT_MAX, Lockout
from perdure.errors import TooMany
from tests.support.clock import FakeClock

AFTER = 3


def a_lockout() -> tuple[Lockout, FakeClock]:
    """A lock after three failures, for one second, two, four … up to eight."""
    clock = FakeClock()
    return Lockout(clock, after=AFTER, base_s=1, longest_s=8), clock


def is_locked(lockout: Lockout, address: str, credential: str) -> bool:
    """Whether one more failure is refused."""
    try:
        lockout.failed(address, credential)
    except TooMany:
        return True
    return False


def test_a_few_failures_are_forgiven() -> None:
    lockout, _ = a_lockout()
    for _ in range(AFTER):
        lockout.failed("here", "alice")
    with pytest.raises(TooMany) as locked:
        lockout.failed("here", "alice")
    assert locked.value.facts["retry_after"] == 1


def test_each_further_failure_locks_twice_as_long_up_to_the_longest() -> None:
    lockout, clock = a_lockout()
    for _ in range(AFTER):
        lockout.failed("here", "alice")
    for seconds in (1, 2, 4, 8, 8):
        clock.advance(seconds - 0.5)
        assert is_locked(lockout, "here", "alice")
        clock.advance(0.5)
        lockout.failed("here", "alice")


def test_promise_15_one_locked_credential_locks_no_other_at_its_address_nor_itself_elsewhere() -> (
    None
):
    lockout, _ = a_lockout()
    for _ in range(AFTER):
        lockout.failed("here", "alice")
    assert is_locked(lockout, "here", "alice")
    assert not is_locked(lockout, "here", "bob")
    assert not is_locked(lockout, "there", "alice")


def test_an_address_that_tries_many_credentials_is_locked_as_a_whole() -> None:
    lockout, _ = a_lockout()
    for number in range(AFTER * CREDENTIALS_EACH):
        lockout.failed("2001:db8::1", str(number))
    assert is_locked(lockout, "2001:db8::2", "another")  # the same subscriber's
    assert not is_locked(lockout, "2001:db8:0:1::1", "another")


def test_a_success_forgets_the_failures_of_its_own_credential_alone() -> None:
    lockout, _ = a_lockout()
    for _ in range(AFTER):
        lockout.failed("here", "alice")
        lockout.failed("here", "bob")
    lockout.succeeded("here", "alice")
    assert not is_locked(lockout, "here", "alice")
    assert is_locked(lockout, "here", "bob")


def test_failures_of_long_ago_are_forgotten() -> None:
    lockout, clock = a_lockout()
    for _ in range(AFTER):
        lockout.failed("here", "alice")
    clock.advance(FORGOTTEN_AFTER_S + 2)
    for _ in range(AFTER):
        lockout.failed("here", "alice")


def test_what_is_remembered_is_bounded() -> None:
    lockout, _ = a_lockout()
    for number in range(KEPT_MAX):
        lockout.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "x" * 4_000)
    assert len(lockout._failures) == KEPT_MAX


def test_a_success_without_any_failures_costs_nothing() -> None:
    lockout, _ = a_lockout()
    lockout.succeeded("here", "alice")
    assert not lockout._failures
