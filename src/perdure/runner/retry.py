"""Whether an effect is tried again, when, and what its outcome is when it is not. Pure."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from perdure.kernel.model import Effect, EffectClass, Failed, Ok, Outcome, Unknown
from perdure.kernel.values import Json
from perdure.registry.effects import EffectKind

REPEATABLE: Final = frozenset({EffectClass.READ, EffectClass.IDEMPOTENT})


class Again(Struct, frozen=True):
    """Try again after `delay_s`. `undo_dispatch`: it is certain that nothing has happened."""

    delay_s: float
    undo_dispatch: bool


def after(
    effect: Effect, kind: EffectKind, outcome: Outcome, tries: int, chance: float
) -> Again | Outcome:
    """Say what follows an outcome of try number `tries`; `chance` in [0, 1) spreads the delays.

    A failure says that nothing happened, so a retryable one is tried again whatever the class.
    An unknown outcome is tried again only where a repetition does no harm.
    """
    left = tries < (effect.attempts_max or kind.attempts_max)
    match outcome:
        case Failed(retryable=True, retry_after_s=wished) if left:
            return Again(_delay(effect, kind, tries, chance, wished), undo_dispatch=True)
        case Unknown() if effect.effect_class in REPEATABLE and left:
            return Again(_delay(effect, kind, tries, chance, None), undo_dispatch=False)
        case Unknown(detail=detail) if effect.effect_class in REPEATABLE:
            return Failed("unknown_outcome", f"{detail} (after {tries} tries)")
        case _:
            return outcome


def _delay(
    effect: Effect, kind: EffectKind, tries: int, chance: float, wished: float | None
) -> float:
    if wished is not None:
        return float(min(max(wished, 0.0), 3_600.0))
    first, most = kind.backoff_s, kind.backoff_max_s
    if effect.backoff_s is not None:
        first, most = effect.backoff_s, max(effect.backoff_s, most)
    grown = min(first * 2.0 ** (tries - 1), most)
    return float(grown * (0.5 + chance))


def attempt_of(number: int, started_at: str, ended_at: str, outcome: Outcome) -> dict[str, Json]:
    """One attempt as the outbox and the outcome's record tell it."""
    usage: Mapping[str, float] = {}
    told: dict[str, Json] = {"attempt": number, "started_at": started_at, "ended_at": ended_at}
    match outcome:
        case Ok():
            usage = outcome.usage
            told["outcome"] = "ok"
        case Failed(code=code, detail=detail):
            usage = outcome.usage
            told.update(outcome="failed", code=code, detail=detail[:500])
        case Unknown(detail=detail):
            told.update(outcome="unknown", detail=detail[:500])
    if usage:
        told["usage"] = dict(usage)
    return told


def summed(outcome: Outcome, attempts: tuple[Json, ...]) -> Outcome:
    """The outcome with the usage of the attempts before it added to its own."""
    if isinstance(outcome, Unknown) or not attempts:
        return outcome
    usage: dict[str, float] = dict(outcome.usage)
    for attempt in attempts:
        earlier: Mapping[str, float] = attempt.get("usage", {})
        for name, amount in earlier.items():
            usage[name] = usage.get(name, 0) + amount
    return replace(outcome, usage=usage)
