"""What the face of HTTP stands on: plain values and collaborators, handed in once at start."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry

from perdure.clock import Clock, SystemClock
from perdure.identity.access import OPEN_ON_LOOPBACK, Rule, opened
from perdure.identity.credentials import Credentials
from perdure.identity.principal import Principal
from perdure.registry.registry import Registry
from perdure.runtimes.context import RuntimeContext

MIB: Final = 1024 * 1024

OpenRuntime = Callable[[Principal], Awaitable[RuntimeContext]]
Readiness = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """The bounds of the HTTP face, and whom it answers. `on_loopback` opens pages and metrics to all."""

    allowed_origins: tuple[str, ...] = ("http://localhost:*", "http://127.0.0.1:*")
    body_bytes_max: int = 256_000
    upload_bytes_max: int = 75 * MIB
    upload_slack_bytes: int = 2 * MIB  # for what a form adds to its file
    requests_at_once: int = 512
    streams_at_once: int = 2_000
    stream_lifetime_s: float = 86_400.0  # a reader comes again where it was
    recheck_s: float = 5.0  # how soon a stream ends when its credential does
    lockout_after: int = 5
    lockout_base_s: float = 1.0
    lockout_max_s: float = 60.0
    trusted_proxies: int = 0  # how many stand before us and add to X-Forwarded-For
    on_loopback: bool = False
    access_logged: bool = True
    features_off: tuple[str, ...] = ()  # installed, and left out on purpose


class Closing:
    """Whether the server is going down. Streams end when it is said, so that nobody waits for them."""

    def __init__(self) -> None:
        """Begin open."""
        self.said = False
        self._told: list[Callable[[], None]] = []

    def close(self) -> None:
        """Say it. Twice is as good as once."""
        self.said = True
        for tell in tuple(self._told):
            tell()

    def listen(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Call `tell` when it is said; returns how to stop listening."""
        self._told.append(tell)
        return lambda: self._told.remove(tell)


@dataclass(frozen=True, slots=True)
class Collaborators:
    """Everything that a request may reach. `rules` are those of the registry, as this address has them."""

    registry: Registry
    open_runtime: OpenRuntime
    credentials: Credentials
    clock: Clock = field(default_factory=SystemClock)
    settings: ApiSettings = field(default_factory=ApiSettings)
    ready: Sequence[Readiness] = ()
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    closing: Closing = field(default_factory=Closing)
    rules: Mapping[str, Rule] = field(init=False)

    def __post_init__(self) -> None:
        """Take the rules from the registry."""
        actions = OPEN_ON_LOOPBACK if self.settings.on_loopback else frozenset()
        object.__setattr__(self, "rules", opened(self.registry.actions, actions))
