"""What a look at a machine can find, and how bad it is."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

from perdure.app.settings import Settings


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


class Finding(NamedTuple):
    """What a check found; `mend` is what to do about it."""

    level: Level
    name: str
    detail: str
    mend: str = ""


Check = Callable[[Settings], Iterator[Finding]]
