"""The bounds of one piece of code that is run, each with a name and a default."""

from dataclasses import dataclass
from typing import Final

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class CodeBounds:
    """How much one run of code may take. Times in seconds."""

    cpu_s: int = 10
    time_s: float = 30.0  # by the clock on the wall, its start included
    memory_bytes: int = 256 * MIB
    output_bytes: int = MIB  # of what it gives back, and of what it prints, each
    input_bytes: int = 8 * MIB  # of its source and what it is given
    files_open: int = 32
    at_once: int = 2  # in this process; the others wait for their turn
