"""Bytes that come piece by piece: nothing of them is there until all of them are."""

import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from perdure.adapters.disk import receiving
from perdure.adapters.disk.content import ContentFolder
from perdure.adapters.disk.receiving import HEAD_BYTES, Receiving


def files(folder: Path) -> list[str]:
    """Every file below a folder."""
    return sorted(it.name for it in folder.rglob("*") if it.is_file())


@pytest.fixture(params=[True, False], ids=["nameless", "named"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on a file system that has files without a name, and on one that has none."""
    if not request.param:
        monkeypatch.setattr(receiving, "NAMELESS", 0)
    return tmp_path


def test_what_comes_in_pieces_is_kept_whole(folder: Path) -> None:
    content = ContentFolder(folder)
    received = content.receive()
    for piece in (b"he", b"", b"llo"):
        received.write(piece)
    digest = content.keep(received)
    received.close()
    assert digest == sha256(b"hello").hexdigest()
    assert (received.size_bytes, received.head) == (5, b"hello")
    assert content.get(digest) == b"hello"
    assert files(folder) == [digest]


def test_what_is_not_kept_is_gone(folder: Path) -> None:
    received = Receiving(folder)
    received.write(b"hello")
    received.close()
    received.close()
    assert files(folder) == []
    with pytest.raises(OSError, match="closed"):
        received.write(b"more")


def test_a_file_without_a_name_is_nowhere_to_be_seen(tmp_path: Path) -> None:
    received = Receiving(tmp_path)
    received.write(b"hello")
    assert files(tmp_path) == []
    received.close()


def test_the_same_bytes_are_there_once(folder: Path) -> None:
    content = ContentFolder(folder)
    digest = content.put(b"hello")
    (path,) = folder.rglob(digest)
    before = path.stat().st_ino
    received = content.receive()
    received.write(b"hello")
    assert content.keep(received) == digest
    received.close()
    assert path.stat().st_ino == before
    assert files(folder) == [digest]


def test_only_the_first_bytes_are_remembered(folder: Path) -> None:
    received = Receiving(folder)
    received.write(b"a" * (HEAD_BYTES - 1))
    received.write(b"bc" * HEAD_BYTES)
    assert received.head == b"a" * (HEAD_BYTES - 1) + b"b"
    received.close()


def test_nobody_has_to_close_it(folder: Path) -> None:
    received = Receiving(folder)
    closed = received._let_go
    assert closed.alive
    del received
    assert not closed.alive


DYING = """
import os, signal, sys
from pathlib import Path
from perdure.adapters.disk.content import ContentFolder
received = ContentFolder(Path(sys.argv[1])).receive()
received.write(b"x" * 1_000_000)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    died = subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert files(tmp_path) == []
