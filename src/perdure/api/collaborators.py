"""What the face of HTTP stands on: plain values and collaborators, handed in once at start."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry

from perdure.api.acts import Recorder
from perdure.api.cookies import CookieNames, checked_name
from perdure.api.origins import Origins
from perdure.api.proxies import Proxies
from perdure.clock import Clock, SystemClock
from perdure.errors import Invalid
from perdure.identity.access import OPEN_ON_LOOPBACK, Rule, opened
from perdure.identity.credentials import Credentials
from perdure.identity.principal import Principal
from perdure.ids import RuntimeId, TenantId
from perdure.registry.registry import Registry
from perdure.runtimes.context import RuntimeContext
from perdure.runtimes.control import ControlContext
from perdure.runtimes.limits import Meter
from perdure.runtimes.retention import Retention

MIB: Final = 1024 * 1024

OpenRuntime = Callable[[Principal], Awaitable[RuntimeContext]]
MeterOf = Callable[[Principal], Meter | None]
ForgetRuntime = Callable[[TenantId, RuntimeId], Awaitable[None]]
Readiness = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """The bounds of the HTTP face, and whom it answers. `on_loopback` opens pages and metrics to all."""

    allowed_origins: tuple[str, ...] = ("http://localhost:*", "http://127.0.0.1:*")
    body_bytes_max: int = 256_000
    upload_bytes_max: int = 75 * MIB
    attachment_bytes_max: int = 25 * MIB
    artifact_quota_bytes: int = 10 * 1024 * MIB  # of all artifacts of one runtime
    upload_slack_bytes: int = 2 * MIB  # for what a form adds to its file
    requests_at_once: int = 512
    streams_at_once: int = 2_000
    stream_lifetime_s: float = 86_400.0  # a reader comes again where it was
    recheck_s: float = 2.5  # a stream ends at most twice as long after its credential
    lockout_after: int = 5
    lockout_base_s: float = 1.0
    lockout_max_s: float = 60.0
    trusted_proxies: int = 0  # how many stand before us and add to X-Forwarded-For
    proxy_addresses: tuple[str, ...] = ()  # which those are
    hsts_s: int = 0  # how long browsers that came by TLS come by nothing else
    cookies: CookieNames = field(default_factory=CookieNames)
    on_loopback: bool = False
    access_logged: bool = True
    features_off: tuple[str, ...] = ()  # installed, and left out on purpose

    def __post_init__(self) -> None:
        """Look at what only the first request would. Raises `Invalid` for what cannot be meant."""
        Origins(self.allowed_origins)
        Proxies(self.trusted_proxies, self.proxy_addresses)
        names = [checked_name(name) for name in self.cookies[:4]]
        if len({name.lower() for name in names}) < len(names):
            raise Invalid("The cookies and headers of browser sessions have four different names.")


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


def unmetered(_principal: Principal) -> None:
    """Count nothing: there is one principal, and the bounds of the server are theirs."""


async def forget_nothing(_tenant: TenantId, _runtime: RuntimeId) -> None:
    """Stop nothing: no plane is opened here but the one."""


@dataclass(frozen=True, slots=True)
class Collaborators:
    """Everything that a request may reach. `rules_at_home` are for who comes from this machine itself."""

    registry: Registry
    open_runtime: OpenRuntime
    credentials: Credentials
    clock: Clock = field(default_factory=SystemClock)
    settings: ApiSettings = field(default_factory=ApiSettings)
    ready: Sequence[Readiness] = ()
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    closing: Closing = field(default_factory=Closing)
    control: ControlContext | None = None
    recorder: Recorder | None = None
    retention: Retention | None = None  # where planes are kept for users who are gone
    meter_of: MeterOf = unmetered
    # Stops its runs and closes it, where that is known.
    forget_runtime: ForgetRuntime = forget_nothing
    rules_at_home: Mapping[str, Rule] = field(init=False)

    def __post_init__(self) -> None:
        """Take the rules from the registry."""
        actions = OPEN_ON_LOOPBACK if self.settings.on_loopback else frozenset()
        object.__setattr__(self, "rules_at_home", opened(self.rules, actions))

    @property
    def rules(self) -> Mapping[str, Rule]:
        """Who may do what, whoever asks from wherever."""
        return self.registry.actions
