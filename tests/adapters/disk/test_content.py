"""Bytes on disk: whole or not at all, under their own hash, and never other than they were."""

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import chain
from pathlib import Path
from threading import Event

import pytest

from perdure.adapters.disk.content import ContentFolder
from perdure.errors import StoreFailed

PATIENCE_S = 30.0  # for what is sure to come


@pytest.fixture
def content(tmp_path: Path) -> ContentFolder:
    """A folder that is not there yet."""
    return ContentFolder(tmp_path / "deep" / "artifacts")


def test_bytes_are_known_by_their_hash(content: ContentFolder, tmp_path: Path) -> None:
    digest = content.put(b"hello")
    assert digest == sha256(b"hello").hexdigest()
    assert content.get(digest) == b"hello"
    assert b"".join(content.pieces(digest)) == b"hello"
    assert content.has(digest)
    (path,) = (it for it in tmp_path.rglob("*") if it.is_file())
    assert path.name == digest, "no unfinished file is left behind"


def test_the_same_bytes_are_written_once(content: ContentFolder, tmp_path: Path) -> None:
    digest = content.put(b"hello")
    (path,) = (it for it in tmp_path.rglob("*") if it.is_file())
    before = path.stat().st_ino
    assert ContentFolder(tmp_path / "deep" / "artifacts").put(b"hello") == digest
    assert content.put(b"hello") == digest
    assert path.stat().st_ino == before


def test_bytes_are_on_disk_before_their_name_and_the_name_before_the_answer(
    content: ContentFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    really_sync, really_rename = os.fsync, Path.rename

    def sync(descriptor: int) -> None:
        kind = "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file"
        told.append(f"sync {kind}")
        really_sync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        told.append("rename")
        return really_rename(self, target)

    content.put(b"the folders are there now")
    told.clear()
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "rename", rename)
    content.put(b"hello")
    assert told[-3:] == ["sync file", "rename", "sync folder"]


@pytest.mark.parametrize(
    "digest", ["", "..", "../../etc/passwd", "0" * 63, "0" * 65, "G" * 64, "0" * 64]
)
def test_what_is_no_hash_of_ours_is_not_there(content: ContentFolder, digest: str) -> None:
    assert not content.has(digest)


def test_bytes_that_changed_are_refused(content: ContentFolder, tmp_path: Path) -> None:
    digest = content.put(b"hello")
    content.check(digest)
    (path,) = (it for it in tmp_path.rglob("*") if it.is_file())
    path.write_bytes(b"hallo")
    with pytest.raises(StoreFailed):
        content.get(digest)
    with pytest.raises(StoreFailed):
        content.check(digest)


def test_bytes_that_are_gone_are_told_of(content: ContentFolder) -> None:
    for read in (content.get, content.check):
        with pytest.raises(StoreFailed):
            read("0" * 64)


def test_a_disk_that_takes_nothing_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file where the folder should be")
    with pytest.raises(StoreFailed):
        ContentFolder(tmp_path / "artifacts").put(b"hello")


def test_many_different_bytes_are_all_kept(content: ContentFolder) -> None:
    digests = [content.put(str(n).encode()) for n in range(50)]
    assert [content.get(digest) for digest in digests] == [str(n).encode() for n in range(50)]


# --- sweeping ------------------------------------------------------------------------------------

LONG_AGO, LATER = 1_000.0, 2_000.0


def aged(tmp_path: Path) -> None:
    """Let everything have been put long ago."""
    for path in tmp_path.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))


def test_what_is_old_is_found_and_taken_away(content: ContentFolder, tmp_path: Path) -> None:
    old = content.put(b"hello")
    aged(tmp_path)
    new = content.put(b"later")
    assert [*chain(*content.old(LATER))] == [old]
    assert content.remove([old, "0" * 64], LATER) == (1, 5)
    assert (content.has(old), content.has(new)) == (False, True)


def test_what_is_put_again_is_not_taken_away(content: ContentFolder, tmp_path: Path) -> None:
    digest = content.put(b"hello")
    aged(tmp_path)
    assert [*chain(*content.old(LATER))] == [digest]
    content.put(b"hello")
    assert content.remove([digest], LATER) == (0, 0)
    assert content.get(digest) == b"hello"


def test_what_another_process_took_away_is_written_again(
    content: ContentFolder, tmp_path: Path
) -> None:
    digest = content.put(b"hello")
    aged(tmp_path)
    assert ContentFolder(tmp_path / "deep" / "artifacts").remove([digest], LATER) == (1, 5)
    assert content.put(b"hello") == digest
    assert content.get(digest) == b"hello"


def test_what_somebody_puts_right_now_is_left_to_the_next_sweep(
    content: ContentFolder, tmp_path: Path
) -> None:
    digest = content.put(b"hello")
    aged(tmp_path)
    (path,) = tmp_path.rglob(digest)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert content.remove([digest], LATER) == (0, 0)
    assert content.remove([digest], LATER) == (1, 5)


def test_a_put_that_meets_a_sweep_waits_for_it_and_writes_what_it_took(
    content: ContentFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = content.put(b"hello")
    aged(tmp_path)
    sweeping, putting = Event(), Event()

    def unlink(path: Path) -> None:
        """In the middle of a sweep, let somebody put what it takes."""
        sweeping.set()
        assert putting.wait(PATIENCE_S)
        os.unlink(path)

    def lock(file: int, how: int) -> None:
        if how == fcntl.LOCK_SH:
            putting.set()
        flock(file, how)

    flock = fcntl.flock
    monkeypatch.setattr(Path, "unlink", unlink)
    monkeypatch.setattr(fcntl, "flock", lock)
    with ThreadPoolExecutor() as threads:
        swept = threads.submit(content.remove, [digest], LATER)
        assert sweeping.wait(PATIENCE_S)
        put = threads.submit(ContentFolder(tmp_path / "deep" / "artifacts").put, b"hello")
        assert (swept.result(PATIENCE_S), put.result(PATIENCE_S)) == ((1, 5), digest)
    assert content.get(digest) == b"hello"


def test_a_file_that_comes_in_while_its_like_is_swept_is_kept(
    content: ContentFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = content.put(b"hello")
    aged(tmp_path)
    received = content.receive()
    received.write(b"hello")
    keep = received.keep

    def swept_after(path: Path) -> None:
        keep(path)
        monkeypatch.undo()
        assert content.remove([digest], LATER) == (1, 5)

    monkeypatch.setattr(received, "keep", swept_after)
    assert content.keep(received) == digest
    received.close()
    assert content.get(digest) == b"hello"


def test_a_sweep_moves_nothing_so_that_one_that_is_cut_off_loses_nothing(
    content: ContentFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = content.put(b"hello"), content.put(b"later")
    aged(tmp_path)
    content.put(b"later")
    monkeypatch.setattr(Path, "rename", None)
    assert content.remove([old, new], LATER) == (1, 5)
    assert content.has(new)


def test_what_broke_off_is_taken_away(content: ContentFolder, tmp_path: Path) -> None:
    digest = content.put(b"hello")
    folder = tmp_path / "deep" / "artifacts"
    for path in (folder / ".left", folder / digest[:2] / ".left"):
        path.write_bytes(b"half of")
    aged(tmp_path)
    (folder / ".under-way").write_bytes(b"half of")
    list(content.old(LATER))
    assert sorted(it.name for it in folder.rglob("*") if it.is_file()) == [".under-way", digest]


def test_a_part_is_read_alone(content: ContentFolder) -> None:
    digest = content.put(b"hello")
    assert b"".join(content.pieces(digest, 1, 4)) == b"ell"
    assert b"".join(content.pieces(digest, 3)) == b"lo"
    assert list(content.pieces(digest, 5)) == []


def test_what_was_found_right_is_hashed_again_once_somebody_touched_it(
    content: ContentFolder, tmp_path: Path
) -> None:
    digest = content.put(b"hello")
    content.check(digest)
    (path,) = (it for it in tmp_path.rglob(digest))
    path.write_bytes(b"hullo")
    with pytest.raises(StoreFailed):
        content.check(digest)
