"""What an effect handler is given, and what it must answer."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from perdure.clock import Clock
from perdure.ids import Key, StepId
from perdure.kernel.model import Birth, Effect, Outcome
from perdure.stores.plane import Plane


class Reply(NamedTuple):
    """A whole answer of an HTTP call."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Streamed(Protocol):
    """An answer whose body is still coming."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in lower case."""
        ...

    def lines(self) -> AsyncIterator[str]:
        """The body line by line, as it comes, up to the size cap."""
        ...

    async def read(self) -> bytes:
        """The rest of the body, up to the size cap."""
        ...


class Http(Protocol):
    """The one outgoing HTTP client, bound to what its principal may reach.

    Raises `HttpFailed` (see `sent`) when no answer came.
    """

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None,
        timeout_s: float = 60.0,
    ) -> Reply:  # fmt: skip
        """Send a request and read the whole answer."""
        ...

    def stream(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None,
        timeout_s: float = 60.0,
    ) -> AbstractAsyncContextManager[Streamed]:  # fmt: skip
        """Send a request and read the answer as it comes."""
        ...


class HttpFailed(Exception):
    """No answer came. `sent` says whether the other side may have seen the request."""

    def __init__(self, code: str, detail: str, *, sent: bool) -> None:
        """`code`: refused, timeout, cut, not_allowed, too_large."""
        self.code = code
        self.detail = detail
        self.sent = sent
        super().__init__(f"{code}: {detail}")


class Delta(NamedTuple):
    """A piece of an answer that is still coming. `offset` counts characters of this attempt."""

    offset: int
    kind: str  # text | reasoning
    text: str


@dataclass(frozen=True, slots=True)
class EffectContext:
    """All that a handler may use. `key` is the idempotency key to pass on."""

    run: Birth
    step_id: StepId
    key: Key
    attempt: int
    clock: Clock
    http: Http
    plane: Plane
    publish: Callable[[Delta], None]


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
