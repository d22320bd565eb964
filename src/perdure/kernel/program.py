"""What a program is to the kernel: anything that names its next move, and nothing that does it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from itertools import chain
from typing import Protocol

from msgspec import Struct

from perdure.clock import text_of
from perdure.kernel.model import GONE, Birth, Effect, Event, Held, Note, Start, Wait
from perdure.kernel.values import Json


class Done(Struct, frozen=True):
    """The run ends well, with this output. `mishap` is a node that failed all the same, and why."""

    output: Json
    mishap: tuple[str, str] | None = None


class Fail(Struct, frozen=True):
    """The run ends badly. `code` is for machines, `detail` for people."""

    code: str
    detail: str = ""


class Move(Struct, frozen=True):
    """What a program wants next.

    `more` asks to be asked again at once (a pure move). A move without `more`, requests or an
    end means: still waiting for what is open. `path` names the nodes passed. `withdraw` names
    the tags of open things that are no longer wanted, and `cancel` those of children that are to
    end and still to be heard of. `hold` asks for a hold of the run itself, and says why. `notes`
    are written before what is begun. `warnings` are shown with the run.
    """

    writes: Mapping[str, Json] = {}
    effects: tuple[Effect, ...] = ()
    waits: tuple[Wait, ...] = ()
    starts: tuple[Start, ...] = ()
    withdraw: tuple[str, ...] = ()
    end: Done | Fail | None = None
    path: tuple[str, ...] = ()
    more: bool = False
    warnings: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    cancel: tuple[str, ...] = ()
    hold: str | None = None


class View(Struct):
    """The cells as a program sees them: what is committed, and over it what this fold has written."""

    base: Mapping[str, Json]  # read and never changed
    pending: dict[str, Json] = {}

    def get(self, name: str, default: Json = None) -> Json:
        """The cell's value, or `default` where there is none."""
        if name in self.pending:
            value = self.pending[name]
            return default if value is GONE else value
        return self.base.get(name, default)

    def __getitem__(self, name: str) -> Json:
        """The cell's value. Raises `KeyError` where there is none."""
        value = self.get(name, GONE)
        if value is GONE:
            raise KeyError(name)
        return value

    def __contains__(self, name: str) -> bool:
        """Whether there is such a cell."""
        return self.get(name, GONE) is not GONE

    def names(self, prefix: str = "") -> Iterator[str]:
        """The names of the cells that begin with `prefix`, in no order. Reads every name: not for hot paths."""
        fresh = (name for name in self.pending if name not in self.base)
        for name in chain(self.base, fresh):
            if name.startswith(prefix) and self.pending.get(name) is not GONE:
                yield name


class Moment(Struct):
    """What a program may know of time, chance and itself while it is asked."""

    run: Birth
    version: int
    at: datetime
    held: Held | None = None  # the hold that ends now
    _text: str | None = None
    _drawn: int = 0

    @property
    def text(self) -> str:
        """The time as cells and records write it."""
        if self._text is None:
            self._text = text_of(self.at)
        return self._text

    @property
    def seed(self) -> bytes:
        """32 bytes of chance that are the same whenever this moment is looked at again."""
        return sha256(f"{self.run.id}:{self.version}".encode()).digest()

    def draw(self) -> bytes:
        """32 more bytes of chance; asked in the same order they are the same again."""
        self._drawn += 1
        return sha256(self.seed + self._drawn.to_bytes(8)).digest()


class Program(Protocol):
    """A definition that can be run: a flow graph, an agent's loop, a schedule.

    `next` is pure: the same cells, event and moment give the same move. It sees the event with
    its own `tag` filled in, and never changes a value that it was shown.
    """

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Name the next move after `event`."""
        ...
