"""How a pinned reference becomes a program."""

from collections.abc import Callable

from perdure.bundles.bundle import Bundle
from perdure.kernel.model import ProgramRef
from perdure.kernel.program import Program

ProgramFactory = Callable[[ProgramRef, Bundle | None], Program]
"""Makes the program of a reference from the bundle that the run is pinned to. Pure.

Raises `FlowRefused` or `FlowNotFound` where the bundle has no such flow, or no runnable one.
"""

ProgramWrapper = Callable[[Program], Program]
"""Puts a rule around a program, such as a policy; pure as the program itself."""
