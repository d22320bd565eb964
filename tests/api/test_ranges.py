"""Parts of a content, as RFC 9110 has them."""

import pytest

from perdure.api.ranges import Part, part_of
from perdure.errors import NoSuchRange

TAG = '"x"'
WHOLE = Part(0, 10, whole=True)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-0", 0, 1), ("bytes=2-5", 2, 6), ("bytes=5-", 5, 10), ("bytes=-3", 7, 10), ("bytes=-99", 0, 10), ("bytes=8-99", 8, 10)],
)  # fmt: skip
def test_one_range_is_one_part(asked: str, start: int, end: int) -> None:
    part = part_of(asked, None, TAG, 10)
    assert part == Part(start, end, whole=False)
    assert part.headers(10) == {
        "content-length": str(end - start), "accept-ranges": "bytes",
        "content-range": f"bytes {start}-{end - 1}/10",
    }  # fmt: skip


@pytest.mark.parametrize(
    "asked", [None, "", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,3-4", "items=0-1", "bytes=a-b"]
)
def test_what_is_no_range_is_the_whole(asked: str | None) -> None:
    assert part_of(asked, None, TAG, 10) == WHOLE
    assert "content-range" not in WHOLE.headers(10)


def test_a_range_of_something_else_is_the_whole() -> None:
    assert part_of("bytes=0-1", '"other"', TAG, 10) == WHOLE
    assert part_of("bytes=0-1", TAG, TAG, 10) == Part(0, 2, whole=False)


@pytest.mark.parametrize(("asked", "size"), [("bytes=10-", 10), ("bytes=11-12", 10), ("bytes=0-", 0), ("bytes=-0", 10)])  # fmt: skip
def test_what_is_beyond_the_end_is_not_there(asked: str, size: int) -> None:
    with pytest.raises(NoSuchRange):
        part_of(asked, None, TAG, size)
