"""The bounds of one PDF that is read or written, each with a name and a default."""

from dataclasses import dataclass
from typing import Final

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class PdfBounds:
    """How much one PDF may take; as a file it has what a file of the workspace may have. Times in seconds."""

    pages_read: int = 1_000  # at a time; the rest is there to be read next
    letters_read: int = 1_000_000  # at a time
    pages_written: int = 2_000
    letters_written: int = 500_000
    title_letters: int = 500
    cpu_s: int = 30
    time_s: float = 60.0  # by the clock on the wall, the start of a process included
    memory_bytes: int = 512 * MIB
    at_once: int = 2  # in this process; the others wait for their turn
