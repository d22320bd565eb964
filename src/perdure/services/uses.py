"""When tokens and browser sessions were last used: noted in passing, written down now and then.

A use costs a request nothing but a look into a map. What was not written down when a process ends
is lost, and at most a minute of it.
"""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

import anyio

from perdure.clock import Clock, text_of
from perdure.ids import TokenId
from perdure.stores.sessions import SessionStore
from perdure.stores.tokens import TokenStore

T = TypeVar("T")

EVERY_S: Final = 60.0  # how often a use of the same thing is written down
GATHER_S: Final = 2.0  # how long uses gather before they are
KNOWN_MAX: Final = 10_000  # things whose last use is remembered; the longest unused goes first


class Lately(Generic[T]):
    """What was used within the last minute, and what of it is not written down."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._noted: OrderedDict[T, float] = OrderedDict()
        self.fresh: set[T] = set()

    def note(self, one: T, now: float) -> bool:
        """Note a use; whether it is to be written down."""
        noted = self._noted.get(one)
        if noted is not None and now < noted + EVERY_S:
            return False
        self._noted[one] = now
        self._noted.move_to_end(one)
        if len(self._noted) > KNOWN_MAX:
            self._noted.popitem(last=False)
        self.fresh.add(one)
        return True

    def taken(self) -> list[T]:
        """What is to be written down; it is asked for once."""
        fresh, self.fresh = list(self.fresh), set()
        return fresh


class Uses:
    """The uses of one process. Lives on the event loop; without any, it costs nothing."""

    def __init__(self, tokens: TokenStore, sessions: SessionStore, clock: Clock) -> None:
        """Write to these stores, by this clock."""
        self._tokens, self._sessions, self._clock = tokens, sessions, clock
        self._of_tokens: Lately[TokenId] = Lately()
        self._of_sessions: Lately[bytes] = Lately()
        self._something = anyio.Event()

    def token(self, id: TokenId) -> None:
        """Note that a token was used."""
        if self._of_tokens.note(id, self._clock.monotonic()):
            self._something.set()

    def session(self, digest: bytes) -> None:
        """Note that a browser session was used."""
        if self._of_sessions.note(digest, self._clock.monotonic()):
            self._something.set()

    async def flush(self) -> None:
        """Write down what was noted."""
        at = text_of(self._clock.now())
        if tokens := self._of_tokens.taken():
            await self._tokens.used(tokens, at=at)
        if sessions := self._of_sessions.taken():
            await self._sessions.seen(sessions, at=at)

    async def serve(self) -> None:
        """Write down what is noted, until cancelled."""
        while True:
            await self._something.wait()
            self._something = anyio.Event()
            await anyio.sleep(GATHER_S)
            await self.flush()
