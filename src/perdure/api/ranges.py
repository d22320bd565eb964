"""The part of a content that a request asks for (RFC 9110 §14)."""

import re
from typing import Final, NamedTuple

from perdure.errors import NoSuchRange

ONE_RANGE: Final = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*")


class Part(NamedTuple):
    """From which byte to before which; `whole` where nothing less was asked for."""

    start: int
    end: int
    whole: bool

    def headers(self, size: int) -> dict[str, str]:
        """What an answer with this part says of it."""
        told = {"content-length": str(self.end - self.start), "accept-ranges": "bytes"}
        if not self.whole:
            told["content-range"] = f"bytes {self.start}-{self.end - 1}/{size}"
        return told


def part_of(asked: str | None, if_range: str | None, etag: str, size: int) -> Part:
    """The part that a `Range` header asks for. Raises `NoSuchRange` where the content has none of it.

    Several ranges, another unit and what is no range are answered with the whole, as the RFC allows.
    """
    whole = Part(0, size, whole=True)
    found = ONE_RANGE.fullmatch(asked or "")
    if found is None or (if_range is not None and if_range != etag):
        return whole
    first, last = found.groups()
    if not first and not last:
        return whole
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return whole
    if start >= end:
        raise NoSuchRange(f"The content has {size} bytes.", size_bytes=size)
    return Part(start, end, whole=False)
