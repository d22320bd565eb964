"""Lines come out whole, however the bytes were cut."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.adapters.lines import Lines

pytestmark = pytest.mark.anyio


async def lines_of(chunks: Iterable[bytes]) -> list[str]:
    coming = iter(chunks)

    async def chunk() -> bytes | None:
        return next(coming, None)

    return [line async for line in Lines(chunk)]


def run(chunks: Iterable[bytes]) -> list[str]:
    """The lines, without a loop: nothing here waits."""
    coroutine = lines_of(chunks)
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    result: list[str] = stop.value.value
    return result


@given(st.text(), st.lists(st.integers(0, 200), max_size=6))
def test_where_the_bytes_are_cut_changes_nothing(text: str, cuts: list[int]) -> None:
    data = text.encode()
    places = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    chunks = [data[a:b] for a, b in pairwise(places)]
    whole = text.split("\n")
    expected = [line.removesuffix("\r") for line in (whole if whole[-1] else whole[:-1])]
    assert run(chunks) == expected


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert run([b"a\xffb\n"]) == ["a\ufffdb"]
