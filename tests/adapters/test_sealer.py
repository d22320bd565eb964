"""Secrets open by the keys of the ring, for the place that they were sealed for, and nowhere else."""

import stat
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.adapters.sealer import (
    AesSealer,
    RingFile,
    key_id_of,
    ring_from_command,
    ring_of,
)
from perdure.errors import Invalid, Unavailable
from perdure.stores.sealer import Place, SealBroken, Sealed

SECRET = "sk-proj-0123456789"
PLACE = Place("default", "alice", "office", "https://api.example.com")
OLD, NEW = b"o" * 32, b"n" * 32


def text_of(*keys: bytes) -> str:
    return "\n".join(b64encode(key).decode() for key in keys)


def a_sealer(*keys: bytes) -> AesSealer:
    return AesSealer(lambda: ring_of(text_of(*keys)))


@given(st.text())
def test_a_secret_comes_back_as_it_was(secret: str) -> None:
    sealer = a_sealer(OLD)
    assert sealer.open(sealer.seal(secret, PLACE), PLACE) == secret


def test_what_is_sealed_tells_nothing_and_is_never_the_same() -> None:
    sealer = a_sealer(OLD)
    first, second = sealer.seal(SECRET, PLACE), sealer.seal(SECRET, PLACE)
    assert first != second and SECRET.encode() not in first.content


@pytest.mark.parametrize(
    "elsewhere",
    [PLACE._replace(tenant="other"), PLACE._replace(runtime="bob"), PLACE._replace(runtime=""),
     PLACE._replace(id="home"), PLACE._replace(origin="https://evil.example"),
     Place("default", "aliceo", "ffice", PLACE.origin)],
)  # fmt: skip
def test_a_secret_that_was_moved_does_not_open(elsewhere: Place) -> None:
    sealer = a_sealer(OLD)
    with pytest.raises(SealBroken):
        sealer.open(sealer.seal(SECRET, PLACE), elsewhere)


def test_no_changed_bit_passes() -> None:
    sealer = a_sealer(OLD, NEW)
    key_id, content = sealer.seal(SECRET, PLACE)
    for at in range(len(content)):
        changed = bytes([*content[:at], content[at] ^ 1, *content[at + 1 :]])
        with pytest.raises(SealBroken):
            sealer.open(Sealed(key_id, changed), PLACE)
    for wrong in (Sealed(key_id_of(NEW), content), Sealed("gone", content), Sealed(key_id, b"")):
        with pytest.raises(SealBroken) as broken:
            sealer.open(wrong, PLACE)
        assert SECRET not in str(broken.value)


def test_old_keys_open_and_the_newest_closes() -> None:
    before = a_sealer(OLD).seal(SECRET, PLACE)
    both = a_sealer(NEW, OLD)
    assert both.open(before, PLACE) == SECRET
    assert both.seal(SECRET, PLACE).key_id == key_id_of(NEW) == both.key_id != before.key_id
    with pytest.raises(SealBroken):
        a_sealer(NEW).open(before, PLACE)


def test_a_key_that_another_process_made_is_found() -> None:
    rings = [text_of(OLD), text_of(NEW, OLD)]
    sealer = AesSealer(lambda: ring_of(rings.pop(0) if len(rings) > 1 else rings[0]))
    assert sealer.open(a_sealer(NEW).seal(SECRET, PLACE), PLACE) == SECRET


def test_promise_103_a_fingerprint_helps_nobody_to_try_secrets_out() -> None:
    sealer, elsewhere = a_sealer(OLD), PLACE._replace(id="home", origin="https://other.example")
    told = sealer.fingerprint(SECRET, PLACE)
    assert told == sealer.fingerprint(SECRET, elsewhere) != sealer.fingerprint("other", PLACE)
    assert told != sealer.fingerprint(SECRET, PLACE._replace(runtime="bob")), (
        "of each owner its own"
    )
    assert told != a_sealer(NEW).fingerprint(SECRET, PLACE), "by a key that never leaves"
    assert len(told) == 16


def test_promise_112_the_file_of_keys_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    file = RingFile(tmp_path / "keys" / "secrets")
    ring = file.read()
    assert len(ring) == 1 and file.read() == ring
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert [it.name for it in file.path.parent.iterdir()] == ["secrets"]
    file.path.chmod(0o640)
    with pytest.raises(Invalid, match="chmod 600"):
        file.read()


def test_a_new_key_stands_in_front_and_old_ones_go_when_told(tmp_path: Path) -> None:
    file = RingFile(tmp_path / "secrets")
    before = AesSealer(file.read).seal(SECRET, PLACE)
    added = file.add()
    assert list(file.read()) == [added, before.key_id]
    assert AesSealer(file.read).open(before, PLACE) == SECRET
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert file.drop_old() == 1 and list(file.read()) == [added]


@pytest.mark.parametrize(
    "text", ["", "   ", "short", "!" * 44, text_of(OLD) + "\nxx", text_of(OLD[:31])]
)
def test_what_is_no_ring_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        ring_of(text)
    assert not text.strip() or text not in str(refused.value)


def test_a_ring_is_read_with_lines_or_commas(tmp_path: Path) -> None:
    urlsafe = text_of(bytes(range(224, 256))).replace("+", "-").replace("/", "_").rstrip("=")
    assert list(ring_of(f"{text_of(OLD)},{urlsafe}\n").values()) == [OLD, bytes(range(224, 256))]
    (tmp_path / "secrets").write_bytes(b"\xff")
    (tmp_path / "secrets").chmod(0o600)
    with pytest.raises(Unavailable):
        RingFile(tmp_path / "secrets").read()


def test_a_command_prints_the_ring(tmp_path: Path) -> None:
    script = tmp_path / "print.py"
    script.write_text(f"print({text_of(NEW, OLD)!r})")
    assert list(ring_from_command(f"{sys.executable} {script}").values()) == [NEW, OLD]
    script.write_text(f"print({text_of(NEW)!r}); raise SystemExit(3)")
    for command in (f"{sys.executable} {script}", "/nonexistent/vault", "'unclosed"):
        with pytest.raises(Unavailable) as failed:
            ring_from_command(command)
        assert text_of(NEW) not in repr(failed.value.__cause__) + str(failed.value)
