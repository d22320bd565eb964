"""Measurements run as programs of their own, so that none finds what another left in memory."""

import gc
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from perdure.app.cli import COLLECTED
from tests.bench.figures import ROOT, Unavailable

Answer = dict[str, Any]


def settled() -> None:
    """Collect garbage as rarely as `perdure serve` does: the product in process, and the bare loop as well."""
    gc.set_threshold(*COLLECTED)
    gc.collect()
    gc.freeze()


def answer_of(
    command: Sequence[str | Path], timeout: float, env: Mapping[str, str] | None = None
) -> Answer:
    """Run a program to its end and read the JSON in the last line that it prints."""
    try:
        ran = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from error
    lines = ran.stdout.splitlines()
    if ran.returncode or not lines:
        said = ran.stderr.strip().splitlines() or ["nothing"]
        raise Unavailable(f"exit code {ran.returncode}, the last line was: {said[-1][:300]}")
    answer: Answer = json.loads(lines[-1])
    return answer
