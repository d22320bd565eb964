"""The import contracts hold, and each of them notices when it is broken."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.house.tree import ROOT

ROOMS = "Rooms look only downward"
PURE = "The pure rooms do no I/O"
FEATURES = "Features do not know one another"
ADAPTER = "Only the composition root names an adapter"
CYCLES = "No cycles inside a room"
SQL = "SQL stays in its rooms"
HTTP = "HTTP stays in its rooms"
DRIVE = "Features do not drive runs"
PROMISES = "Adapters keep promises and use none"

ONE = "features/planted_one/__init__.py"
BREACHES: list[tuple[str, dict[str, str]]] = [
    (ROOMS, {"services/planted.py": "import perdure.api"}),
    (ROOMS, {"runner/planted.py": "import perdure.api"}),
    (ROOMS, {"utils/__init__.py": ""}),
    (PURE, {"kernel/planted.py": "import sqlalchemy"}),
    (PURE, {"identity/planted.py": "import os"}),
    (PURE, {"bundles/planted.py": "import time"}),
    (
        FEATURES,
        {ONE: "", "features/planted_two/__init__.py": "import perdure.features.planted_one"},
    ),
    (ADAPTER, {ONE: "", "features/planted_one/effects.py": "import perdure.adapters.sql"}),
    (ADAPTER, {"runner/planted.py": "import perdure.adapters.sql"}),
    (
        CYCLES,
        {
            "kernel/planted_one.py": "import perdure.kernel.planted_two",
            "kernel/planted_two.py": "import perdure.kernel.planted_one",
        },
    ),
    (SQL, {ONE: "", "features/planted_one/effects.py": "import sqlalchemy"}),
    (SQL, {"services/planted.py": "from sqlalchemy import select"}),
    (HTTP, {"runner/planted.py": "import fastapi"}),
    (HTTP, {ONE: "", "features/planted_one/effects.py": "from starlette.requests import Request"}),
    (DRIVE, {ONE: "", "features/planted_one/routes.py": "import perdure.runner"}),
    (PROMISES, {"adapters/planted.py": "import perdure.registry"}),
]
ALLOWED = {
    ONE: "import perdure.services",
    "features/planted_one/sql.py": "import sqlalchemy",
    "features/planted_one/routes.py": "import fastapi",
    "app/planted.py": "import perdure.adapters.sql\nimport perdure.runner",
}


def contracts() -> set[str]:
    """The names of the contracts in force."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {it["name"] for it in settings["tool"]["importlinter"]["contracts"]}


def broken_with(planted: Mapping[str, str], folder: Path) -> set[str]:
    """The contracts that break when `planted` is laid over a copy of the sources."""
    here = folder / "src" / "perdure"
    shutil.copytree(ROOT / "src" / "perdure", here, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name, text in planted.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    told = re.findall(r"^(.+) BROKEN(?: \(.*\))?$", ran.stdout, re.MULTILINE)
    broken = set(told)  # a contract with ignored imports says so after the word
    assert bool(broken) == (ran.returncode != 0), ran.stdout + ran.stderr
    return broken


def test_every_contract_is_tried() -> None:
    assert contracts() == {name for name, _ in BREACHES}


@pytest.mark.parametrize(("contract", "planted"), BREACHES)
def test_a_breach_is_named(contract: str, planted: dict[str, str], tmp_path: Path) -> None:
    assert contract in broken_with(planted, tmp_path)


def test_what_is_allowed_breaks_nothing(tmp_path: Path) -> None:
    assert broken_with(ALLOWED, tmp_path) == set()
