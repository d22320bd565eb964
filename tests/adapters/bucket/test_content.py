"""Bytes in a bucket: whole or not at all, under their own hash, and never lost between a put and a sweep."""

import os
from collections.abc import Generator
from hashlib import sha256
from pathlib import Path

import obstore
import pytest

from perdure.adapters.bucket.content import ContentBucket
from perdure.errors import StoreFailed
from tests.support.buckets import Served, a_bucket

LONG_AGO, LATER = 1_000.0, 2_000.0
MIB = 1024 * 1024


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Served]:
    """A bucket."""
    with a_bucket(tmp_path / "server", monkeypatch) as bucket:
        yield bucket


@pytest.fixture
def content(served: Served, tmp_path: Path) -> ContentBucket:
    """The content of one plane."""
    return served.bucket.content("planes/t/r", tmp_path / "parts")


def objects(served: Served) -> list[Path]:
    """What lies in the bucket."""
    return sorted(it for it in served.objects.rglob("*") if it.is_file())


def aged(served: Served) -> None:
    """Let everything have been put long ago."""
    for path in objects(served):
        os.utime(path, (LONG_AGO, LONG_AGO))


def test_bytes_are_known_by_their_hash_and_lie_below_their_plane(
    content: ContentBucket, served: Served
) -> None:
    digest = content.put(b"hello")
    assert digest == sha256(b"hello").hexdigest()
    assert (content.get(digest), content.has(digest)) == (b"hello", True)
    (path,) = objects(served)
    place = path.parent.relative_to(served.objects)
    assert str(place) == f"some/prefix/planes/t/r/{digest[:2]}/{digest}"


def test_the_same_bytes_are_put_once_in_a_short_while_and_anew_after_it(
    content: ContentBucket, served: Served
) -> None:
    digest = content.put(b"hello")
    first = objects(served)
    content.put(b"hello")
    assert objects(served) == first
    aged(served)
    assert content.put(b"hello") == digest
    (second,) = objects(served)
    assert [second] != first and content.get(digest) == b"hello"


def test_another_plane_has_none_of_it(
    content: ContentBucket, served: Served, tmp_path: Path
) -> None:
    digest = content.put(b"hello")
    other = served.bucket.content("planes/t/r2", tmp_path / "other")
    assert not other.has(digest)
    with pytest.raises(StoreFailed, match="does not have it"):
        other.get(digest)
    served.bucket.erase("planes/t/r2")
    assert content.has(digest)
    served.bucket.erase("planes/t/r")
    served.bucket.erase("planes/t/r")
    assert not content.has(digest) and objects(served) == []


@pytest.mark.parametrize("digest", ["", "..", "x" * 64, "0" * 64])
def test_what_is_no_hash_of_ours_is_not_there(content: ContentBucket, digest: str) -> None:
    assert not content.has(digest)


def test_bytes_that_changed_are_refused(content: ContentBucket, served: Served) -> None:
    digest = content.put(b"hello")
    content.check(digest)
    assert not content.unchanged(digest)
    (path,) = objects(served)
    path.write_bytes(b"hullo")
    for look in (content.get, content.check):
        with pytest.raises(StoreFailed, match="not what was written"):
            look(digest)


def test_what_was_found_right_is_not_read_again(content: ContentBucket, served: Served) -> None:
    digest = content.put(b"hello")
    content.check(digest)
    before = [
        it for it in served.asked if it.startswith("GET") and digest in it and "list-type" not in it
    ]
    content.check(digest)
    assert before == [
        it for it in served.asked if it.startswith("GET") and digest in it and "list-type" not in it
    ]


def test_a_part_is_read_alone(content: ContentBucket) -> None:
    digest = content.put(b"hello")
    assert b"".join(content.pieces(digest)) == b"hello"
    assert b"".join(content.pieces(digest, 1, 4)) == b"ell"
    assert b"".join(content.pieces(digest, 3)) == b"lo"
    assert list(content.pieces(digest, 5, 5)) == []


def test_what_comes_piece_by_piece_is_there_when_it_is_whole(
    content: ContentBucket, served: Served, tmp_path: Path
) -> None:
    received = content.receive()
    for _ in range(12):  # more than one part of an upload
        received.write(b"x" * MIB)
    assert objects(served) == []
    digest = content.keep(received)
    received.close()
    assert digest == sha256(b"x" * 12 * MIB).hexdigest()
    content.check(digest)
    assert [it for it in (tmp_path / "parts").rglob("*") if it.is_file()] == []


def test_what_is_old_is_found_and_taken_away(content: ContentBucket, served: Served) -> None:
    old = content.put(b"hello")
    aged(served)
    new = content.put(b"later")
    assert [it for some in content.old(LATER) for it in some] == [old]
    assert content.remove([old, new, "0" * 64], LATER) == (1, 5)
    assert (content.has(old), content.has(new)) == (False, True)


def test_what_is_put_after_a_sweep_has_looked_stays(
    content: ContentBucket, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = content.put(b"hello")
    aged(served)
    delete = obstore.delete

    def late(*given: object) -> None:
        monkeypatch.undo()
        content.put(b"hello")
        delete(*given)  # type: ignore[arg-type]  # as it was asked

    monkeypatch.setattr(obstore, "delete", late)
    content.remove([digest], LATER)
    assert content.get(digest) == b"hello"


def test_what_is_put_again_while_it_is_read_is_read(
    content: ContentBucket, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = content.put(b"hello")
    aged(served)
    get = obstore.get

    def late(*given: object, **options: object) -> object:
        monkeypatch.undo()
        content.put(b"hello")  # which takes the object away that was found
        return get(*given, **options)  # type: ignore[arg-type]  # as it was asked

    monkeypatch.setattr(obstore, "get", late)
    assert content.get(digest) == b"hello"


def test_the_next_sweep_is_planned_on_the_disk(content: ContentBucket, tmp_path: Path) -> None:
    assert content.sweep_due() == 0
    content.plan_sweep(LATER)
    assert content.sweep_due() == LATER


def test_a_bucket_that_is_away_is_told_of(served: Served, tmp_path: Path) -> None:
    served.objects.rmdir()
    content = served.bucket.content("planes/t/r", tmp_path / "parts")
    for work in (
        lambda: content.put(b"x"),
        lambda: content.has("0" * 64),
        lambda: [*content.old(1)],
    ):
        with pytest.raises(StoreFailed, match="the bucket"):
            work()
