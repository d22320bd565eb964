"""The product as a person starts it: a process with a data directory of its own, on a free port."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.house.tree import ROOT

GUARD_S = 60.0  # nothing takes so long; not a measure of anything
PERDURE = [sys.executable, "-m", "perdure.app.cli"]


@dataclass
class Served:
    """A gateway in a process, from `with` to the end of the block. `words` are its command line."""

    data_dir: Path
    words: list[str] = field(default_factory=lambda: ["serve"])
    settings: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [*PERDURE, *self.words, "--port", "0"], cwd=ROOT, env=self.environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.url = self.until(r"Perdure serves at (\S+)")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def token(self) -> str:
        """The token that it made."""
        return (self.data_dir / "token").read_text().strip()

    def environment(self) -> dict[str, str]:
        """What the process is started with: a path, a home, and the settings of the test."""
        mine = {"PERDURE_DATA_DIR": str(self.data_dir), "NO_COLOR": "1", "HOME": str(self.data_dir)}
        return {"PATH": os.environ["PATH"]} | mine | self.settings

    def until(self, pattern: str) -> str:
        """Read what it says until a line has `pattern` in it; the first group of that."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if found := re.search(pattern, line):
                return found[1] if found.groups() else found[0]
        raise AssertionError(f"it ended without {pattern}:\n{''.join(self.said)}")

    def interrupt(self) -> int:
        """End it as Ctrl-C does; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.rest()

    def rest(self) -> int:
        """Hear what it has still to say, until it is gone; its exit code."""
        assert self.process.stdout is not None
        self.said += self.process.stdout.readlines()
        return self.process.wait(GUARD_S)
