"""Arrays packed here are the arrays that Postgres reads."""

from collections.abc import Sequence
from typing import Any

import pytest

from perdure.adapters.sql.unnest import Pack, contents, float8s, int8s, texts
from tests.support.planes import shared_engine


@pytest.mark.parametrize(
    ("pack", "values"),
    [
        (int8s, [0, 1, -1, 2**62, -(2**63)]), (int8s, [None, 7, None]), (int8s, [None]),
        (float8s, [0.0, -1.5, 1e300]), (texts, ["", "a", "Grüße 🚀", 'quote " and , comma {}']),
        (texts, [None, "x"]), (contents, [b"", b"\x00\xff", b"x" * 100_000]), (contents, [None, b"y", None]),
    ],
)  # fmt: skip
def test_an_array_arrives_as_it_was_packed(pack: Pack, values: Sequence[Any]) -> None:
    checked_out = shared_engine().raw_connection()
    try:
        connection: Any = checked_out.dbapi_connection
        cursor = connection.cursor(binary=True)
        rows = cursor.execute("SELECT * FROM unnest(%b) AS x", (pack(values),)).fetchall()
    finally:
        checked_out.close()
    assert [row[0] for row in rows] == list(values)
