"""Whoever shows wrong credentials again and again is answered later and later; a right one never.

Only failures are ever asked about, and they are counted for each credential at each address. So
nobody is kept out: not a neighbour behind the same address, and not the owner of a credential that
somebody else guesses at. An address that tries many credentials has a bound of its own.
"""

from collections import OrderedDict
from hashlib import blake2b
from typing import Final

from perdure.api.proxies import neighbourhood_of
from perdure.clock import Clock
from perdure.errors import TooMany

KEPT_MAX: Final = 10_000  # pairs remembered; who failed longest ago is forgotten first
CREDENTIALS_EACH: Final = 8  # that one address may get wrong before it is locked as a whole
FORGOTTEN_AFTER_S: Final = 900.0

Key = tuple[str, bytes]


class Lockout:
    """Failures by address and credential. Neither is kept in clear."""

    def __init__(self, clock: Clock, after: int, base_s: float, longest_s: float) -> None:
        """Let pass `after` failures, then lock for `base_s`, doubled each time up to `longest_s`."""
        self._clock = clock
        self._after, self._base_s, self._longest_s = after, base_s, longest_s
        self._failures: OrderedDict[Key, tuple[int, float]] = OrderedDict()  # count, locked until

    def failed(self, address: str, credential: str) -> None:
        """Note a failure. Raises `TooMany` while it is locked; that counts as none."""
        now = self._clock.monotonic()
        where = neighbourhood_of(address)
        one, all_of_it = (where, _digest(credential)), (where, b"")
        left = max(self._until(one, now), self._until(all_of_it, now)) - now
        if left > 0:
            raise TooMany(
                "Too many wrong credentials; wait before the next.",
                retry_after=max(1, round(left)),
            )
        self._count(one, now, self._after)
        self._count(all_of_it, now, self._after * CREDENTIALS_EACH)

    def succeeded(self, address: str, credential: str) -> None:
        """Forget the failures of this credential at this address, and of no other."""
        if self._failures:
            self._failures.pop((neighbourhood_of(address), _digest(credential)), None)

    def _until(self, key: Key, now: float) -> float:
        return self._failures.get(key, (0, now))[1]

    def _count(self, key: Key, now: float, after: int) -> None:
        count, until = self._failures.pop(key, (0, now))
        count = 1 if now - until > FORGOTTEN_AFTER_S else count + 1
        seconds = 0.0
        if count >= after:
            seconds = min(2.0 ** min(count - after, 32) * self._base_s, self._longest_s)
        self._failures[key] = (count, now + seconds)
        while len(self._failures) > KEPT_MAX:
            self._failures.popitem(last=False)


def _digest(credential: str) -> bytes:
    return blake2b(credential.encode(errors="replace"), digest_size=16).digest()
