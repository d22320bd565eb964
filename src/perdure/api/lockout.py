"""Whoever shows wrong credentials again and again is answered later and later; a right one never."""

from collections import OrderedDict
from typing import Final

from perdure.clock import Clock
from perdure.errors import TooMany

ADDRESSES_MAX: Final = 10_000  # remembered; who failed longest ago is forgotten first


class Lockout:
    """Failures by address. Only failures are ever asked about, so nobody is kept out by a neighbour."""

    def __init__(self, clock: Clock, after: int, base_s: float, longest_s: float) -> None:
        """Let pass `after` failures, then lock for `base_s`, doubled each time up to `longest_s`."""
        self._clock = clock
        self._after, self._base_s, self._longest_s = after, base_s, longest_s
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()  # count, locked until

    def failed(self, address: str) -> None:
        """Note a failure. Raises `TooMany` while the address is locked; that counts as none."""
        now = self._clock.monotonic()
        count, until = self._failures.get(address, (0, 0.0))
        if now < until:
            raise TooMany(
                "Too many wrong credentials; wait before the next.",
                retry_after=max(1, round(until - now)),
            )
        count += 1
        if count >= self._after:
            doubled = min(2.0 ** min(count - self._after, 32) * self._base_s, self._longest_s)
            until = now + doubled
        self._failures[address] = (count, until)
        self._failures.move_to_end(address)
        while len(self._failures) > ADDRESSES_MAX:
            self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address."""
        if self._failures:
            self._failures.pop(address, None)
