"""What an effect handler is given, and what it must answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from perdure.clock import Clock
from perdure.ids import Key, StepId
from perdure.kernel.model import Birth, Effect, Outcome
from perdure.stores.endpoints import NOWHERE, Opener
from perdure.stores.http import Http as Http
from perdure.stores.http import HttpFailed as HttpFailed
from perdure.stores.http import Reply as Reply
from perdure.stores.http import Streamed as Streamed
from perdure.stores.plane import Plane


class Delta(NamedTuple):
    """A piece of an answer that is still coming. `offset` counts characters of this attempt."""

    offset: int
    kind: str  # text | reasoning
    text: str


class EffectContext(Struct, frozen=True):
    """All that a handler may use. `key` is the idempotency key to pass on."""

    run: Birth
    step_id: StepId
    key: Key
    attempt: int
    clock: Clock
    http: Http
    plane: Plane
    publish: Callable[[Delta], None]
    endpoints: Opener = NOWHERE
    workspaces: Path | None = None  # where trees of runs have their files, each by its root's id


EffectHandler = Callable[[Effect, EffectContext], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class EffectKind:
    """How effects of one kind are performed. Times in seconds.

    `probe` asks the other side whether an effect in doubt happened; it answers `Unknown` when
    that cannot be said. `backoff_s` doubles from try to try up to `backoff_max_s`, with jitter.
    """

    handle: EffectHandler
    timeout_s: float = 60.0
    attempts_max: int = 4
    backoff_s: float = 0.5
    backoff_max_s: float = 60.0
    probe: EffectHandler | None = None
