"""Statements over groups of rows for SQLite: each step of a statement lets another thread run, so there are few."""

import re
from functools import cache
from typing import Final

from perdure.adapters.sql.statements import Rows

SIZES: Final = (64, 16, 4)  # rows of a group; what is left goes row by row
_VALUES: Final = re.compile(r"VALUES \(([^)]*)\)")
_COMPARED: Final = re.compile(r"(\S+) = \?")


@cache
def grouped(statement: Rows, size: int) -> str | None:
    """The statement of one row, turned into one of `size`; `None` for an update of what has no number of its own."""
    text = statement.words("sqlite").text
    one = ", ".join("?" * len(statement.columns))
    values = "VALUES " + ", ".join([f"({one})"] * size)
    if text.startswith("INSERT"):
        return _VALUES.sub(values, text)
    before, _, condition = text.partition(" WHERE ")
    if text.startswith("DELETE"):
        columns = ", ".join(_COMPARED.findall(condition))
        return f"{before} WHERE ({columns}) IN ({values})"
    if not _COMPARED.findall(condition)[0].endswith(".pk"):
        return None  # it might be taken for a reason to read the whole table
    *changes, last = text.split("?")
    numbered = (f"{part}x.column{at}" for at, part in enumerate(changes, start=1))
    return f"{''.join(numbered)}{last}".replace(" WHERE ", f" FROM ({values}) AS x WHERE ", 1)
