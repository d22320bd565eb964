"""When an effect is tried again, and what its outcome is when it is not."""

import pytest
from msgspec.structs import replace

from perdure.kernel.model import Effect, EffectClass, Failed, Ok, Outcome, Unknown
from perdure.registry.effects import EffectContext, EffectKind
from perdure.runner.retry import Again, after, attempt_of, summed

READ, IDEMPOTENT, ONCE = EffectClass.READ, EffectClass.IDEMPOTENT, EffectClass.ONCE


async def never(_effect: Effect, _context: EffectContext) -> Outcome:
    """No test calls it."""
    raise AssertionError


KIND = EffectKind(never, attempts_max=3, backoff_s=1.0, backoff_max_s=4.0)


def effect(effect_class: EffectClass = READ, attempts_max: int | None = None) -> Effect:
    """An effect of a class."""
    return Effect("x", {}, "t", "n", effect_class, attempts_max=attempts_max)


@pytest.mark.parametrize("effect_class", list(EffectClass))
def test_a_failure_that_may_pass_is_tried_again_whatever_the_class(
    effect_class: EffectClass,
) -> None:
    """A failure says that nothing happened."""
    following = after(effect(effect_class), KIND, Failed("busy", retryable=True), 1, 0.5)
    assert following == Again(1.0, undo_dispatch=True)


def test_a_failure_that_will_not_pass_is_final() -> None:
    """A deterministic failure is not repeated."""
    failed = Failed("refused")
    assert after(effect(), KIND, failed, 1, 0.5) is failed


def test_the_last_try_is_final_on_both_sides_of_the_bound() -> None:
    """Try 2 of 3 is followed by another, try 3 is not."""
    failed = Failed("busy", retryable=True)
    assert isinstance(after(effect(), KIND, failed, 2, 0.5), Again)
    assert after(effect(), KIND, failed, 3, 0.5) is failed


def test_an_effect_may_have_fewer_tries_than_its_kind() -> None:
    """The effect's own bound wins."""
    failed = Failed("busy", retryable=True)
    assert after(effect(attempts_max=1), KIND, failed, 1, 0.5) is failed


@pytest.mark.parametrize("effect_class", [READ, IDEMPOTENT])
def test_an_unknown_outcome_is_tried_again_where_that_does_no_harm(
    effect_class: EffectClass,
) -> None:
    """And at the bound it is a failure that says so."""
    assert isinstance(after(effect(effect_class), KIND, Unknown("cut"), 1, 0.5), Again)
    last = after(effect(effect_class), KIND, Unknown("cut"), 3, 0.5)
    assert isinstance(last, Failed) and last.code == "unknown_outcome"


@pytest.mark.parametrize("effect_class", [ONCE, EffectClass.COMPENSABLE])
def test_an_unknown_outcome_that_may_have_done_harm_is_never_tried_again(
    effect_class: EffectClass,
) -> None:
    """It stays unknown, for a person to look at."""
    unknown = Unknown("cut")
    assert after(effect(effect_class), KIND, unknown, 1, 0.5) is unknown


def test_delays_double_up_to_a_bound_and_are_spread() -> None:
    """Half to one and a half times the grown delay."""
    failed = Failed("busy", retryable=True)
    kind = EffectKind(never, attempts_max=99, backoff_s=1.0, backoff_max_s=4.0)
    delays = [after(effect(), kind, failed, tries, 0.5) for tries in (1, 2, 3, 4)]
    assert delays == [Again(seconds, True) for seconds in (1.0, 2.0, 4.0, 4.0)]
    assert after(effect(), kind, failed, 1, 0.0) == Again(0.5, True)


def test_a_wished_delay_is_kept_within_an_hour() -> None:
    """`Retry-After` wins over the backoff, on both sides of the bound."""
    for wished, kept in ((7.0, 7.0), (-1.0, 0.0), (3_600.0, 3_600.0), (3_601.0, 3_600.0)):
        failed = Failed("busy", retryable=True, retry_after_s=wished)
        assert after(effect(), KIND, failed, 1, 0.5) == Again(kept, True)


def test_usage_of_every_attempt_is_summed() -> None:
    """A model call that was billed twice shows twice."""
    first = attempt_of(1, "a", "b", Failed("busy", usage={"tokens_in": 3}))
    assert first["usage"] == {"tokens_in": 3} and first["code"] == "busy"
    assert summed(Ok(1, {"tokens_in": 4}), (first,)) == Ok(1, {"tokens_in": 7})
    assert summed(Unknown("x"), (first,)) == Unknown("x")


def test_an_attempt_tells_what_it_came_to() -> None:
    """Each outcome in one word."""
    told = [attempt_of(1, "a", "b", outcome)["outcome"] for outcome in (Ok(1), Unknown("x"))]
    assert told == ["ok", "unknown"]


def test_an_effect_may_say_how_long_to_wait_itself() -> None:
    """From the second try on twice as long, up to the longest of its kind or its own first."""
    busy, own = Failed("busy", retryable=True), replace(effect(attempts_max=9), backoff_s=0.5)
    slow = replace(own, backoff_s=60.0)
    delays = [after(own, KIND, busy, tries, 0.5) for tries in (1, 2, 5)]
    assert delays == [Again(it, undo_dispatch=True) for it in (0.5, 1.0, 4.0)]
    assert after(slow, KIND, busy, 3, 0.5) == Again(60.0, undo_dispatch=True)
