"""Values of the kernel as the bytes of a column, and back."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import orjson
from msgspec.structs import asdict

from perdure.clock import text_of, time_of
from perdure.ids import Key, RunId, StepId
from perdure.kernel.limits import Limits
from perdure.kernel.model import Effect, EffectClass, Open, Reason, Wait
from perdure.kernel.values import Json
from perdure.stores.blocked import Blocked

dumps: Final = orjson.dumps
loads: Final = orjson.loads
LIMITS_KEPT: Final = (
    256  # bounds that were written or read and are not again: most runs have the same
)


def effect_bytes(entry: Open, effect: Effect) -> bytes:
    """An effect under way, but for its key and what the outbox says of it."""
    return dumps([
        entry.step_id, entry.seq, entry.at, effect.kind, effect.payload, effect.tag, effect.node_id,
        effect.effect_class, effect.result_key, effect.timeout_s, effect.attempts_max, effect.stub,
        effect.backoff_s,
    ])  # fmt: skip


def effect_of(body: bytes) -> Effect:
    """The effect alone."""
    _, _, _, kind, payload, tag, node_id, effect_class, *rest = loads(body)
    return Effect(kind, payload, tag, node_id, EffectClass(effect_class), *rest)


def open_effect(key: str, body: bytes, *, review: bool) -> Open:
    """An effect under way, as the run holds it."""
    step_id, seq, at, *_ = loads(body)
    return Open(Key(key), StepId(step_id), seq, at, effect_of(body), review)


def wait_bytes(entry: Open, wait: Wait) -> bytes:
    """An open wait, but for the key that it is open under."""
    return dumps([
        entry.step_id, entry.seq, entry.at, wait.tag, wait.node_id, wait.reason, wait.kind, wait.key,
        wait.match, None if wait.until is None else text_of(wait.until), wait.prompt, wait.choices,
        wait.allow_free_text, wait.details, wait.payload, wait.result_key, wait.child, wait.review_of,
    ])  # fmt: skip


def open_wait(key: str, body: bytes) -> Open:
    """An open wait, as the run holds it."""
    (step_id, seq, at, tag, node_id, reason, kind, own, match, until, prompt, choices, free, details,
     payload, result_key, child, review_of) = loads(body)  # fmt: skip
    wait = Wait(
        tag, node_id, Reason(reason), kind, own, match, None if until is None else time_of(until), prompt,
        None if choices is None else tuple(choices), free, details, payload, result_key,
        None if child is None else RunId(child), None if review_of is None else Key(review_of),
    )  # fmt: skip
    return Open(Key(key), StepId(step_id), seq, at, wait)


@lru_cache(LIMITS_KEPT)
def limits_bytes(limits: Limits) -> bytes:
    """A run's bounds."""
    return dumps(asdict(limits))


@lru_cache(LIMITS_KEPT)
def limits_of(body: bytes) -> Limits:
    """A run's bounds; one that was not known when the run was born has its default."""
    kept: Mapping[str, int] = loads(body)
    return Limits(**{name: kept[name] for name in Limits.__struct_fields__ if name in kept})


def blocked_bytes(blocked: Blocked) -> bytes:
    """Why a run does not move."""
    return dumps([blocked.kind, blocked.since, blocked.detail, blocked.key, blocked.child])


def blocked_of(body: bytes | None) -> Blocked | None:
    """Why a run does not move, where that was written down."""
    if body is None:
        return None
    kind, since, detail, key, child = loads(body)
    return Blocked(kind, since, detail, key, child)


def json_of(body: bytes | None) -> Json:
    """The JSON of a column; `None` where there is none."""
    return None if body is None else loads(body)


def bytes_of(value: Json) -> bytes | None:
    """The column of a JSON value; `None` for none."""
    return None if value is None else dumps(value)


def clean(text: str | None) -> str | None:
    """Text as both databases keep it: Postgres has no NUL in a text."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}") if text and "\x00" in text else text
