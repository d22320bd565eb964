"""`make` is the front door: it lists its words, says what is missing, and Ctrl-C leaves no error behind."""

import os
import pty
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import ROOT

WORDS = [
    "help",
    "setup",
    "run",
    "test",
    "test-browser",
    "check",
    "coverage",
    "audit",
    "bench",
    "soak",
]
SERVES = """#!/bin/sh
[ "$1" = quickstart ] || exit 0
trap 'echo goodbye; exit 0' INT
echo serving
while :; do sleep 0.05; done
"""


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide from each make that another one may have started these tests."""
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose set-up is done and whose product is a script that serves until Ctrl-C."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, text in {"python": "#!/bin/sh\n", "perdure": SERVES}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    for stamp in (".installed-run", ".installed-dev"):
        (tmp_path / ".venv" / stamp).touch()
    return tmp_path


def make(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make and take down what it says."""
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
    )


def run_on_a_terminal(folder: Path, keys: bytes) -> tuple[int, str]:
    """Type `keys` once `make run` serves; return its exit code and all that the terminal showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvp("make", ["make", "run"])
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other end is closed
            break
        if not piece:
            break
        shown += piece
        if b"serving" in piece:
            os.write(terminal, keys)
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode()


def test_make_alone_lists_every_word() -> None:
    listed = make()
    assert listed.returncode == 0
    assert re.findall(r"^  make ([\w-]+) +\S", listed.stdout, re.MULTILINE) == WORDS


def test_every_word_listed_is_one_and_every_one_is_listed() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert sorted(phony[1].split()) == sorted(WORDS)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What is started here hears Ctrl-C, also where the tests themselves were started deaf to it (nohup, &)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_the_product_and_make_ends_well(checkout: Path) -> None:
    code, shown = run_on_a_terminal(checkout, b"\x03")
    assert "goodbye" in shown
    assert (code, "***" in shown) == (0, False)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_without_a_terminal_reaches_the_product_too(checkout: Path) -> None:
    running = subprocess.Popen(
        ["make", "run"], cwd=checkout, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    with running:
        assert running.stdout
        served = running.stdout.readline()
        os.killpg(running.pid, signal.SIGINT)
        rest, _ = running.communicate(timeout=30)
    assert (served, rest.splitlines()[0]) == ("serving\n", "goodbye")  # make may mutter after it


def test_a_machine_without_a_python_is_told_so(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    told = make("run", "PYTHON=", folder=checkout)
    assert told.returncode != 0
    assert "Perdure needs Python 3.11 or newer" in told.stderr


def test_a_python_that_is_too_old_is_passed_over(checkout: Path, tmp_path: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    for name in ("python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    told = subprocess.run(
        ["make", "run"],
        cwd=checkout,
        env={"PATH": path},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert told.returncode != 0
    assert "Perdure needs Python 3.11 or newer" in told.stderr
