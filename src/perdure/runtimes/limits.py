"""What one principal may have at once and in a minute; what is more waits in the runner, or is refused."""

from collections import OrderedDict
from dataclasses import dataclass
from math import ceil
from typing import Final

from perdure.clock import Clock
from perdure.errors import TooMany
from perdure.ids import RuntimeId, TenantId

MINUTE_S: Final = 60.0
METERS_KEPT: Final = 10_000  # of principals that nobody serves; one left out begins anew, and full


@dataclass(frozen=True, slots=True)
class RuntimeLimits:
    """The bounds of one runtime. Runs and effects above theirs wait; the others are refused with `TooMany`."""

    runs_at_once: int = 256  # driven side by side
    effects_at_once: int = 1_024  # performed side by side
    requests_at_once: int = 512
    streams_at_once: int = 2_000
    stream_bytes_per_minute: int = 4 * 1024**3
    starts_per_minute: int = 60_000


class Slots:
    """So many at once, and no more. Use as a context; it may be entered as often as there are slots."""

    __slots__ = ("_name", "most", "taken")

    def __init__(self, name: str, most: int) -> None:
        """Have `most` of them; `name` is what a refusal calls the limit."""
        self._name, self.most, self.taken = name, most, 0

    def __enter__(self) -> None:
        """Take one. Raises `TooMany` where none is left."""
        if self.taken >= self.most:
            raise TooMany(
                f"{self.taken} are under way, which is as many as one principal may have.",
                limit=self._name, most=self.most, retry_after=1,
            )  # fmt: skip
        self.taken += 1

    def __exit__(self, *_raised: object) -> None:
        """Give it back."""
        self.taken -= 1


class Allowance:
    """So much in a minute: what was not used is there again a minute later, and never more than that."""

    __slots__ = ("_clock", "_left", "_name", "_seen", "most")

    def __init__(self, name: str, most: int, clock: Clock) -> None:
        """Begin full."""
        self._name, self._clock, self.most = name, clock, most
        self._left, self._seen = float(most), clock.monotonic()

    def left(self) -> float:
        """How much there is now; less than nothing where more was taken than there was."""
        now = self._clock.monotonic()
        self._left = min(self.most, self._left + (now - self._seen) * self.most / MINUTE_S)
        self._seen = now
        return self._left

    def check(self, wanted: int = 1) -> None:
        """Raises `TooMany`, with the time until it is there, where less than `wanted` is left."""
        left = self.left()
        if left < wanted:
            raise TooMany(
                f"One principal may have {self.most} in a minute.",
                limit=self._name, most=self.most,
                retry_after=max(1, ceil((wanted - left) * MINUTE_S / self.most)),
            )  # fmt: skip

    def take(self, amount: int = 1) -> None:
        """Take so much, whether it is there or not."""
        self._left -= amount


class Meter:
    """What one principal uses of its limits in this process."""

    __slots__ = ("_bytes", "_requests", "_starts", "_streams", "limits")

    def __init__(self, limits: RuntimeLimits, clock: Clock) -> None:
        """Begin with nothing used."""
        self.limits: Final = limits
        self._requests = Slots("requests_at_once", limits.requests_at_once)
        self._streams = Slots("streams_at_once", limits.streams_at_once)
        self._bytes = Allowance("stream_bytes_per_minute", limits.stream_bytes_per_minute, clock)
        self._starts = Allowance("starts_per_minute", limits.starts_per_minute, clock)

    @property
    def at_rest(self) -> bool:
        """Whether no request and no stream is under way."""
        return not (self._requests.taken or self._streams.taken)

    def request(self) -> Slots:
        """Hold one request: `with meter.request():`. Raises `TooMany` when entered with none left."""
        return self._requests

    def stream(self) -> Slots:
        """Hold one stream. Raises `TooMany`; also at once, where no bytes are left for it."""
        self._bytes.check()
        return self._streams

    def sent(self, size: int) -> bool:
        """Count bytes that a stream has sent; whether it may go on. One that may not comes again later."""
        self._bytes.take(size)
        return self._bytes.left() > 0

    def start(self) -> None:
        """Count the start of a run. Raises `TooMany`, and counts nothing."""
        self._starts.check()
        self._starts.take()


class Metering:
    """The meters of all principals of this process. They outlive the closing of a plane."""

    def __init__(self, limits: RuntimeLimits, clock: Clock) -> None:
        """Give everyone the same `limits`."""
        self._limits, self._clock = limits, clock
        self._meters: OrderedDict[tuple[TenantId, RuntimeId], Meter] = OrderedDict()

    def of(self, tenant: TenantId, runtime: RuntimeId) -> Meter:
        """The meter of the principal whose runtime this is."""
        key = (tenant, runtime)
        meter = self._meters.get(key)
        if meter is None:
            meter = self._meters[key] = Meter(self._limits, self._clock)
            self._forget()
        self._meters.move_to_end(key)
        return meter

    def _forget(self) -> None:
        """Let the longest unused go, but for those in use."""
        for key in list(self._meters)[: len(self._meters) - METERS_KEPT]:
            if self._meters[key].at_rest:
                del self._meters[key]
