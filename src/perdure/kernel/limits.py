"""The bounds of one run, and what each is for. What reaches one ends with `limit_reached`."""

from msgspec import Struct


class Limits(Struct, frozen=True):
    """The bounds of one run; kept with it, so that a changed default changes no run."""

    steps_max: int = 1_000_000  # records in the ledger
    moves_max: int = 100_000  # moves in one fold
    open_max: int = 1_000  # effects, waits and children open at once
    depth_max: int = 32  # runs above this one
    tree_max: int = 10_000  # runs of its tree that go on, where one below the root bears more
    state_bytes_max: int = 64 * 1024 * 1024  # cells as JSON, measured at each snapshot
    warnings_max: int = 100  # kept with the run; the first ones stay
    path_max: int = 1_000  # node ids kept in a record's path; the rest is counted


SLICE = 64  # moves of a fold between two chances for the driver to look up
INLINE_BYTES_MAX = 64 * 1024  # a larger value is kept as an artifact
INTEGER_MAX = 2**53 - 1  # RFC 8259 §6: beyond this, readers may disagree about the number
NESTING_MAX = 128  # levels of lists and objects in a value
