"""Keys in files: made once and whole, for their owner alone."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stat import S_IMODE

import pytest

from perdure.adapters.keyfiles import KEY_BYTES, drop, key_in, put_new
from perdure.errors import Unavailable


def test_promise_112_a_key_is_made_once_and_opens_to_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "pepper"
    key = key_in(path, "tokens")
    assert len(key) == KEY_BYTES
    assert key_in(path, "tokens") == key
    assert S_IMODE(path.stat().st_mode) == 0o600
    assert S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_many_that_begin_at_once_have_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        keys = threads.map(lambda _: key_in(tmp_path / "pepper", "tokens"), range(8))
    assert len(set(keys)) == 1


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)])
def test_what_is_no_key_is_refused_with_its_place(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pepper"
    path.write_bytes(content)
    with pytest.raises(Unavailable, match="pepper holds no key of tokens"):
        key_in(path, "tokens")


def test_what_cannot_be_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be read or made"):
        key_in(tmp_path, "tokens")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable, match="cannot be read or made"):
        key_in(tmp_path / "file" / "pepper", "tokens")


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "one"
    assert put_new(path, b"first")
    assert not put_new(path, b"second")
    assert path.read_bytes() == b"first"
    for _ in range(2):
        drop(path)
    assert list(tmp_path.iterdir()) == []
