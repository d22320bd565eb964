"""What one principal may have, on both sides of each limit."""

import pytest

from perdure.errors import TooMany
from perdure.ids import RuntimeId, TenantId
from perdure.runtimes.limits import METERS_KEPT, Meter, Metering, RuntimeLimits, Slots
from tests.support.clock import FakeClock

FEW = RuntimeLimits(
    requests_at_once=2, streams_at_once=1, stream_bytes_per_minute=600, starts_per_minute=6
)
TENANT = TenantId("t")


def a_meter(clock: FakeClock | None = None) -> Meter:
    """A meter of few."""
    return Meter(FEW, clock or FakeClock())


@pytest.mark.parametrize("what", ["request", "stream"])
def test_as_many_as_the_limit_are_held_and_one_more_is_refused(what: str) -> None:
    meter = a_meter()
    slots: Slots = getattr(meter, what)()
    for _ in range(slots.most):
        slots.__enter__()
    with pytest.raises(TooMany) as refused, slots:
        raise AssertionError
    assert refused.value.code == "too_many_requests"
    assert refused.value.facts == {
        "limit": f"{what}s_at_once", "most": slots.most, "retry_after": 1,
    }  # fmt: skip
    slots.__exit__()
    with slots:
        assert slots.taken == slots.most
    assert slots.taken == slots.most - 1


def test_a_slot_comes_back_whatever_happened() -> None:
    meter = a_meter()
    with pytest.raises(KeyError), meter.request():
        raise KeyError
    assert meter.at_rest


def test_starts_are_counted_by_the_minute() -> None:
    """The limit at once, then one for each share of a minute; a refusal counts nothing."""
    clock = FakeClock()
    meter = a_meter(clock)
    for _ in range(6):
        meter.start()
    for _ in range(3):
        with pytest.raises(TooMany):
            meter.start()
    with pytest.raises(TooMany) as refused:
        meter.start()
    assert refused.value.facts["retry_after"] == 10
    assert refused.value.facts["limit"] == "starts_per_minute"
    clock.advance(9.9)
    with pytest.raises(TooMany) as refused:
        meter.start()
    assert refused.value.facts["retry_after"] == 1
    clock.advance(0.1)
    meter.start()


def test_what_was_not_used_in_an_hour_is_no_more_than_a_minutes() -> None:
    clock = FakeClock()
    meter = a_meter(clock)
    clock.advance(3600)
    for _ in range(6):
        meter.start()
    with pytest.raises(TooMany):
        meter.start()


def test_a_stream_ends_when_its_bytes_are_spent_and_begins_again_when_there_are_some() -> None:
    clock = FakeClock()
    meter = a_meter(clock)
    with meter.stream():
        assert meter.sent(599)
        assert not meter.sent(11)
    with pytest.raises(TooMany) as refused:
        meter.stream()
    assert refused.value.facts["limit"] == "stream_bytes_per_minute"
    assert refused.value.facts["retry_after"] == 2
    clock.advance(2)
    with meter.stream():
        assert meter.sent(1)


def test_one_principals_use_is_not_anothers() -> None:
    metering = Metering(FEW, FakeClock())
    alice, bob = (metering.of(TENANT, RuntimeId(name)) for name in ("alice", "bob"))
    for _ in range(6):
        alice.start()
    with pytest.raises(TooMany):
        alice.start()
    bob.start()
    assert metering.of(TENANT, RuntimeId("alice")) is alice
    assert metering.of(TenantId("other"), RuntimeId("alice")) is not alice


def test_so_many_meters_are_kept_and_never_one_less_that_is_in_use() -> None:
    metering = Metering(FEW, FakeClock())
    used = metering.of(TENANT, RuntimeId("used"))
    first = metering.of(TENANT, RuntimeId("first"))
    with used.request():
        for number in range(METERS_KEPT):
            metering.of(TENANT, RuntimeId(str(number)))
        assert metering.of(TENANT, RuntimeId("used")) is used
    assert metering.of(TENANT, RuntimeId("first")) is not first
