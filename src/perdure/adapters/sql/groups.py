"""Statements over groups of rows for SQLite: each step of a statement lets another thread run, so there are few."""

import re
from functools import cache
from typing import Final

from perdure.adapters.sql.statements import Rows

SIZES: Final = (64, 16)  # rows of a group; what is left goes row by row
_VALUES: Final = re.compile(r"VALUES \(([^)]*)\)")
_COMPARED: Final = re.compile(r"(\S+) = \?")


@cache
def grouped(statement: Rows, size: int) -> str | None:
    """The statement of one row, turned into one of `size`; `None` for an update, which gains nothing by it."""
    text = statement.words("sqlite").text
    one = ", ".join("?" * len(statement.columns))
    values = "VALUES " + ", ".join([f"({one})"] * size)
    if text.startswith("INSERT"):
        return _VALUES.sub(values, text)
    if text.startswith("DELETE"):
        before, _, condition = text.partition(" WHERE ")
        columns = ", ".join(_COMPARED.findall(condition))
        return f"{before} WHERE ({columns}) IN ({values})"
    return None
