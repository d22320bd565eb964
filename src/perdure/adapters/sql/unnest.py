"""Statements over many rows for Postgres: each column travels as one binary array, and `unnest` makes rows again."""

import re
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, Final, NamedTuple

from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy import Double, LargeBinary, Text
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import Integer, TypeEngine

from perdure.adapters.sql.statements import Row, Rows

_HEAD: Final = Struct("!iiIii")  # dimensions, whether there are NULLs, type, length, first index
_INT8: Final = Struct("!iq")
_FLOAT8: Final = Struct("!id")
_LENGTH: Final = Struct("!i")
_NULL: Final = _LENGTH.pack(-1)


class Packed:
    """An array as Postgres reads it."""

    __slots__ = ("content",)

    def __init__(self, content: bytes) -> None:
        """Hold what was packed."""
        self.content = content


class Int8Array(Packed):
    """An array of whole numbers."""


class Float8Array(Packed):
    """An array of numbers."""


class TextArray(Packed):
    """An array of texts."""


class BytesArray(Packed):
    """An array of bytes."""


class _PackedDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Packed) -> bytes:
        return obj.content


class _Int8Dumper(_PackedDumper):
    oid = 1016


class _Float8Dumper(_PackedDumper):
    oid = 1022


class _TextDumper(_PackedDumper):
    oid = 1009


class _BytesDumper(_PackedDumper):
    oid = 1001


DUMPERS: Final[Sequence[tuple[type[Packed], type[Dumper]]]] = (
    (Int8Array, _Int8Dumper), (Float8Array, _Float8Dumper), (TextArray, _TextDumper), (BytesArray, _BytesDumper),
)  # fmt: skip


def _packed(element: int, parts: list[bytes], count: int, *, nulls: bool) -> bytes:
    return _HEAD.pack(1, nulls, element, count, 1) + b"".join(parts)


def int8s(values: Sequence[int | None]) -> Int8Array:
    """Pack whole numbers."""
    pack = _INT8.pack
    parts = [_NULL if value is None else pack(8, value) for value in values]
    return Int8Array(_packed(20, parts, len(values), nulls=None in values))


def float8s(values: Sequence[float]) -> Float8Array:
    """Pack numbers."""
    pack = _FLOAT8.pack
    return Float8Array(_packed(701, [pack(8, value) for value in values], len(values), nulls=False))


def texts(values: Sequence[str | None]) -> TextArray:
    """Pack texts."""
    return TextArray(_lengths(25, [None if value is None else value.encode() for value in values]))


def contents(values: Sequence[bytes | None]) -> BytesArray:
    """Pack bytes."""
    return BytesArray(_lengths(17, values))


def _lengths(element: int, values: Sequence[bytes | None]) -> bytes:
    pack = _LENGTH.pack
    parts: list[bytes] = []
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts.append(pack(len(value)))
            parts.append(value)
    return _packed(element, parts, len(values), nulls=None in values)


Pack = Callable[[Sequence[Any]], Packed]


class Many(NamedTuple):
    """A statement over many rows, and how each of its columns is packed."""

    text: str
    packs: tuple[Pack, ...]

    def arrays(self, rows: Sequence[Row]) -> list[Packed]:
        """The columns of `rows`."""
        return [
            pack(column) for pack, column in zip(self.packs, zip(*rows, strict=True), strict=True)
        ]


def many_of(statement: Rows) -> Many:
    """The statement of one row, turned into one of many: each parameter becomes a column of `x`."""
    compiled = statement.core.compile(dialect=psycopg_dialect(paramstyle="format"))  # type: ignore[no-untyped-call]  # untyped there
    assert isinstance(compiled, SQLCompiler)
    columns = ", ".join(f'"{name}"' for name in statement.columns)
    rows = f"unnest({', '.join(['%b'] * len(statement.columns))}) AS x ({columns})"
    names = iter(statement.columns)
    text = _PLACE.sub(lambda _: f'x."{next(names)}"', str(compiled))
    if text.startswith("INSERT"):
        text = _VALUES.sub(lambda found: f"SELECT {found[1]} FROM {rows}", text)  # noqa: S608 - parts of a compiled statement
    else:
        word = "USING" if text.startswith("DELETE") else "FROM"
        text = text.replace(" WHERE ", f" {word} {rows} WHERE ", 1)
    types = (compiled.binds[name].type for name in statement.columns)
    return Many(text, tuple(_pack_of(it) for it in types))


_PLACE: Final = re.compile(r"%s(?:::[A-Z]+(?: PRECISION)?)?")
_VALUES: Final = re.compile(r"VALUES \(([^)]*)\)")


def _pack_of(column: TypeEngine[Any]) -> Pack:
    match column:
        case Text():
            return texts
        case LargeBinary():
            return contents
        case Double():
            return float8s
        case Integer():
            return int8s
        case _:
            raise AssertionError(column)
