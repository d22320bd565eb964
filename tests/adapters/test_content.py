"""What is promised of content wherever it lies: on the disk, and in a bucket."""

import os
from collections.abc import Generator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

from perdure.adapters.content import Content
from perdure.adapters.disk.content import ContentFolder
from perdure.errors import StoreFailed
from tests.support.buckets import a_bucket

LONG_AGO, LATER = 1_000.0, 2_000.0


class Place(NamedTuple):
    """Content, and where its bytes lie as files."""

    content: Content
    files: Path

    def aged(self) -> None:
        """Let everything have been put long ago."""
        for path in self.files.rglob("*"):
            os.utime(path, (LONG_AGO, LONG_AGO))


@pytest.fixture(params=["disk", "bucket"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[Place]:
    """Content of each kind."""
    if request.param == "disk":
        yield Place(ContentFolder(tmp_path / "artifacts"), tmp_path)
        return
    with a_bucket(tmp_path / "server", monkeypatch) as served:
        yield Place(served.bucket.content("planes/t/r", tmp_path / "parts"), served.objects)


def test_what_is_put_is_read_whole_and_in_parts(place: Place) -> None:
    content = place.content
    digest = content.put(b"hello")
    content.check(digest)
    assert (digest, content.has(digest)) == (sha256(b"hello").hexdigest(), True)
    assert content.get(digest) == b"".join(content.pieces(digest)) == b"hello"
    assert b"".join(content.pieces(digest, 1, 3)) == b"el"


def test_what_comes_piece_by_piece_is_the_same_as_what_is_put(place: Place) -> None:
    received = place.content.receive()
    received.write(b"hel")
    received.write(b"lo")
    assert not place.content.has(received.digest)
    digest = place.content.keep(received)
    received.close()
    assert digest == place.content.put(b"hello")


def test_what_is_not_there_is_told_of(place: Place) -> None:
    assert not place.content.has("0" * 64) and not place.content.unchanged("0" * 64)
    for look in (place.content.get, place.content.check):
        with pytest.raises(StoreFailed):
            look("0" * 64)


def test_what_was_put_long_ago_is_found_and_taken_away_and_no_more(place: Place) -> None:
    old, again = place.content.put(b"old"), place.content.put(b"again")
    place.aged()
    new = place.content.put(b"new")
    found = {it for some in place.content.old(LATER) for it in some}
    place.content.put(b"again")
    assert found == {old, again}
    assert place.content.remove([old, again, new], LATER) == (1, 3)
    assert [place.content.has(it) for it in (old, again, new)] == [False, True, True]


def test_a_sweep_that_is_planned_is_remembered(place: Place) -> None:
    place.content.put(b"x")
    assert place.content.sweep_due() == 0
    place.content.plan_sweep(LATER)
    assert place.content.sweep_due() == LATER
