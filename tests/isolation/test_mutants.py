"""Each mutant leaves out one check, and the matrix notices it: some with each commit, all in the long form."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from tests.house.tree import ROOT, SRC, modules_under
from tests.isolation.__main__ import FOUND
from tests.isolation.mutants import MUTANTS, Mutant

SOME = 6
GUARD_S = 500  # nothing takes so long; not a measure of anything

pytestmark = pytest.mark.timeout(600)  # on a busy machine


@cache
def commit() -> int:
    """A number that is another one with each commit, or where there are none with each change."""
    asked = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False)
    if said.returncode == 0:
        return int(said.stdout, 16)
    digest = sha256()
    for path in modules_under(SRC):
        digest.update(path.read_bytes())
    return int(digest.hexdigest(), 16)


def some() -> Iterator[Mutant]:
    """Those whose turn it is, spread over the table."""
    step = len(MUTANTS) // SOME
    for number in range(SOME):
        yield MUTANTS[(commit() + number * step) % len(MUTANTS)]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with sources of its own, to be changed."""
    shutil.copytree(SRC, tmp_path / "src" / "perdure")
    for name in ("migrations", "bundles", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def breaks(checkout: Path, mutant: Mutant) -> str:
    """Put a mutant into a checkout; what the trial of it finds."""
    file = checkout / "src" / "perdure" / mutant.file
    text = file.read_text()
    assert text.count(mutant.old) == 1, (
        f"the mutant {mutant.name!r} is out of date: src/perdure/{mutant.file} has its text"
        f" {text.count(mutant.old)} times; write in tests/isolation/mutants.py what is to be left out now"
    )
    file.write_text(text.replace(mutant.old, mutant.new))
    data = checkout / "data"
    ran = subprocess.run(
        [sys.executable, "-m", "tests.isolation", mutant.only, str(data)],
        cwd=checkout, capture_output=True, text=True, check=False, timeout=GUARD_S,
        env={"PATH": os.environ["PATH"], "HOME": str(checkout), "PYTHONPATH": f"{checkout / 'src'}:{checkout}"},
    )  # fmt: skip
    assert f"of {file.parents[mutant.file.count('/')]}" in ran.stdout, ran.stdout + ran.stderr
    assert ran.returncode in (0, FOUND), f"the mutant {mutant.name!r} does not run:\n{ran.stderr}"
    return ran.stdout if ran.returncode == FOUND else ""


def test_there_are_mutants_enough_and_each_has_a_name() -> None:
    assert len(MUTANTS) >= 30
    assert len({it.name for it in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda it: it.name)
def test_what_a_mutant_leaves_out_is_there(mutant: Mutant) -> None:
    text = (SRC / mutant.file).read_text()
    assert text.count(mutant.old) == 1, (
        f"src/perdure/{mutant.file} has the text of this mutant {text.count(mutant.old)} times:"
        " write in tests/isolation/mutants.py what is to be left out now"
    )


@pytest.mark.parametrize("turn", range(SOME))
def test_some_mutants_are_noticed(checkout: Path, turn: int) -> None:
    mutant = list(some())[turn]
    assert breaks(checkout, mutant), f"nobody notices: {mutant.name}"


@pytest.mark.soak
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda it: it.name)
def test_every_mutant_is_noticed(checkout: Path, mutant: Mutant) -> None:
    assert breaks(checkout, mutant), f"nobody notices: {mutant.name}"


def test_a_sound_program_is_not_found_out(checkout: Path) -> None:
    sound = Mutant("nothing", "clock.py", "class SystemClock", "class SystemClock", "/me/tokens")
    assert breaks(checkout, sound) == ""
