"""Where the peers are installed: an environment of their own, so that they never meet the product's."""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from tests.bench.figures import ROOT, Bench, Unavailable

HOME = ROOT / ".venv-bench"
PYTHON = HOME / "bin" / "python"
RESTATE_VERSION = "1.7.12"
RESTATE = f"@restatedev/restate-server@{RESTATE_VERSION}"
RESTATE_HOME = HOME / f"restate-{RESTATE_VERSION}"
INSTALL_S = 600.0
LAST_WORDS = 300


def wanted() -> list[str]:
    """The peers from PyPI, as the project declares them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    packages: list[str] = project["optional-dependencies"]["bench"]
    return packages


def done(command: Sequence[str | Path]) -> None:
    """Run one step of an installation; a failure means that the peer is not measured."""
    try:
        subprocess.run(
            command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=INSTALL_S
        )
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"not installed: {error.stderr[-LAST_WORDS:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"not installed: {error}") from error


def python(bench: Bench) -> Path:
    """The environment's Python, with the declared peers in it."""
    stamp, packages = HOME / ".installed", "\n".join(wanted())
    if stamp.is_file() and stamp.read_text() == packages:
        return PYTHON
    if not bench.install:
        raise Unavailable("not installed, and installing was refused")
    done([sys.executable, "-m", "venv", HOME])
    done([PYTHON, "-m", "pip", "install", "--quiet", *wanted()])
    stamp.write_text(packages)
    return PYTHON


def restate_server(bench: Bench) -> Path:
    """Restate's server, a binary inside the npm package of this platform."""
    modules = RESTATE_HOME / "node_modules" / "@restatedev"
    if not (found := sorted(modules.glob("restate-server-*/bin/restate-server"))):
        npm = shutil.which("npm")
        if not npm or not bench.install:
            raise Unavailable("npm is not on PATH" if not npm else "installing was refused")
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
        done([npm, "install", "--prefix", RESTATE_HOME, *quiet, RESTATE])
        found = sorted(modules.glob("restate-server-*/bin/restate-server"))
    if not found:
        raise Unavailable("its npm package has no server for this platform")
    return found[0]


def versions() -> str:
    """Which peers are installed, by name and version."""
    found = [*HOME.glob("lib/python*/site-packages/dbos-*.dist-info")]
    found += HOME.glob("lib/python*/site-packages/restate_sdk-*.dist-info")
    python = [it.name.removesuffix(".dist-info").replace("-", " ") for it in found]
    server = [f"restate-server {RESTATE_VERSION}"] if RESTATE_HOME.is_dir() else []
    return ", ".join([*python, *server]) or "none"
