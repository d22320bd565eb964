"""How many runs of a tree have not ended: counted now and then, so that a birth costs no look at the store."""

from collections.abc import Awaitable, Callable

from perdure.ids import RunId
from perdure.kernel.model import Birth

KEPT = 10_000  # trees whose room is remembered; of another it is counted again

Count = Callable[[RunId, int], Awaitable[int]]


class Trees:
    """The room that is left in the trees of one plane. What other processes bear is seen at the next count."""

    def __init__(self, count: Count) -> None:
        """Have `count` say how many runs below a root have not ended, up to a bound."""
        self._count = count
        self._room: dict[RunId, int] = {}

    async def take(self, birth: Birth, births: int) -> bool:
        """Whether the tree of `birth` has room for so many more; what is taken is gone until the next count."""
        root, most = birth.root_id, birth.limits.tree_max
        room = self._room.pop(root, 0) - births
        if room < 0:
            room = most - births - await self._count(root, most)
        if room < 0:
            return False
        while len(self._room) >= KEPT:
            del self._room[next(iter(self._room))]
        self._room[root] = room
        return True
