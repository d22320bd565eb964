"""A terminal client that nobody here wrote: `abstractcode` from PyPI, in an environment of its own.

It is installed when a test first asks for it, under `.cache/` of the checkout, and used again after that.
"""

import fcntl
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from tests.house.tree import ROOT

PINNED: Final = "abstractcode==0.3.8"  # alone: what it does with a gateway needs nothing else
FOLDER: Final = ROOT / ".cache" / PINNED.replace("==", "-")
GUARD_S: Final = 60.0  # no command takes so long; not a measure of anything


class Ran(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


@cache
def installed() -> Path:
    """The client's command. Two processes that ask at once install it once."""
    FOLDER.parent.mkdir(exist_ok=True)
    command, done = FOLDER / "bin" / "abstractcode", FOLDER / ".installed"
    with FOLDER.with_name(f"{FOLDER.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            _run([sys.executable, "-m", "venv", "--clear", str(FOLDER)])
            pip = [str(FOLDER / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
            _run([*pip, "install", "--quiet", "--no-deps", PINNED])
            done.touch()
    return command


def _run(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stdout}{ran.stderr}"


class Client:
    """The client as a person uses it at a terminal, with a gateway's address and token."""

    def __init__(self, home: Path, url: str, token: str) -> None:
        self._home = home
        self._gateway = ["--gateway-url", url, "--gateway-token", token]

    def run(self, *words: str, said: str = "") -> Ran:
        """Give a command, and type `said` when it asks."""
        command = [str(installed()), *words, *self._gateway]
        home = {"PATH": os.environ["PATH"], "HOME": str(self._home)}
        ran = subprocess.run(
            command, input=said, capture_output=True, text=True, timeout=GUARD_S, env=home, cwd=self._home
        )  # fmt: skip
        return Ran(ran.returncode, ran.stdout, ran.stderr)
