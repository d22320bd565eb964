"""How a pinned reference becomes a program, how a command becomes a word for one, and how one is drawn."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from perdure.bundles.bundle import Bundle
from perdure.kernel.model import Birth, Cells, ProgramRef, Run
from perdure.kernel.program import Program
from perdure.kernel.values import Json

ProgramFactory = Callable[[ProgramRef, Bundle | None], Program]
"""Makes the program of a reference from the bundle that the run is pinned to. Pure.

Raises `FlowRefused` or `FlowNotFound` where the bundle has no such flow, or no runnable one.
"""

ProgramWrapper = Callable[[Program], Program]
"""Puts a rule around a program, such as a policy; pure as the program itself."""


class Telling(NamedTuple):
    """How a command reaches the program of a run: `word` makes of its payload what the program is told.

    It is for programs of one `kind`; where the run that is named runs another, it is for the
    nearest run above. Pure. Raises `Unfit` or `Conflict` where it cannot apply to the run as it stands.
    """

    kind: str
    word: Callable[[Run, Cells, Mapping[str, Json], datetime], Json]


Drawing = Callable[[Birth, Cells], Json]
"""Draws the program of a run as a flow that the editor shows, from the cells as they are. Pure."""

Check = Callable[[Birth, Cells], None]
"""Holds the cells of a run that was lived elsewhere against those that its program keeps and others are shown. Pure.

Raises `ValueError`, `KeyError`, `TypeError`, `AttributeError` or `Invalid` where they are none.
"""
