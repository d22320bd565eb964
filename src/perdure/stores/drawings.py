"""Flows as their authors have them: changed in place, perhaps not whole, and run only once published."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from perdure.identity.audit import Entry
from perdure.kernel.values import Json


class Drawing(NamedTuple):
    """A flow under its author's hands. `body` holds its name, its nodes, its edges and what else is drawn."""

    id: str
    body: Json
    created_at: str
    updated_at: str


class DrawingStore(Protocol):
    """Drawings of one runtime. Every method is one transaction; `entry` is kept with what it changes."""

    async def get(self, drawing_id: str) -> Drawing:
        """A drawing. Raises `FlowNotFound`."""
        ...

    async def list(self) -> Sequence[Drawing]:
        """All of them, the one changed last first."""
        ...

    async def add(self, drawing: Drawing, *, most: int, entry: Entry | None = None) -> bool:
        """Keep a new one; `False` where its id is taken. Raises `LimitReached` where there are `most`."""
        ...

    async def replace(self, drawing: Drawing, was: Drawing, *, entry: Entry | None = None) -> bool:
        """Put one in the place of what was read; `False` where somebody changed that since."""
        ...

    async def remove(self, drawing_id: str, *, entry: Entry | None = None) -> bool:
        """Forget one; whether it was there. What was published of it stays."""
        ...
