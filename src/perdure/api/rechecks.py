"""Whether the credentials of open streams are still good, asked once for all streams that show the same."""

from collections import OrderedDict
from typing import Final, NamedTuple

from perdure.api.callers import Callers, Sent
from perdure.api.proxies import Seen
from perdure.clock import Clock
from perdure.errors import Unauthenticated
from perdure.identity.principal import Principal

KEPT_MAX: Final = 10_000  # answers; the one asked for longest ago is forgotten first


class _Answer(NamedTuple):
    at: float
    principal: Principal | None


class Rechecks:
    """Answers that are good for a moment, by what was shown."""

    def __init__(self, callers: Callers, clock: Clock, good_for_s: float) -> None:
        """Ask `callers`, and give the same answer again for `good_for_s`."""
        self._callers, self._clock, self._good_for_s = callers, clock, good_for_s
        self._answers: OrderedDict[tuple[bytes | None, ...], _Answer] = OrderedDict()

    async def is_good(self, headers: Sent, seen: Seen, reader: Principal) -> bool:
        """Whether these headers still show `reader`, as it was. Raises `Unavailable` where nobody can say."""
        shown = tuple(headers.get(name) for name in (*self._callers.shown_by, b"cookie"))
        now = self._clock.monotonic()
        answer = self._answers.get(shown)
        if answer is None or now - answer.at >= self._good_for_s:
            answer = _Answer(now, await self._asked(headers, seen))
            self._answers[shown] = answer
            self._answers.move_to_end(shown)
            while len(self._answers) > KEPT_MAX:
                self._answers.popitem(last=False)
        return answer.principal == reader

    async def _asked(self, headers: Sent, seen: Seen) -> Principal | None:
        try:
            return (await self._callers.find(headers, secure=seen.secure)).principal
        except Unauthenticated:
            return None
