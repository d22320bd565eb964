"""The page about users runs as it stands, in one shell, on a real gateway in user mode."""

import re
import subprocess
import sys
from collections.abc import Generator

import pytest

from perdure.app.settings import Settings
from tests.house.tree import ROOT
from tests.support.served import Served

PAGE = (ROOT / "docs" / "howto" / "users.md").read_text()
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
MARK = "-- block {} --"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Generator[list[str]]:
    """What each block of the page prints."""
    program = tmp_path_factory.mktemp("bin") / "perdure"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m perdure.app.cli "$@"\n')
    program.chmod(0o755)
    settings = {"PERDURE_USER_AUTH": "1", "PERDURE_EMBEDDED_MODEL": "false"}
    with Served(tmp_path_factory.mktemp("users") / "perdure", settings=settings) as gateway:
        environment = gateway.environment() | {"PERDURE_URL": gateway.url}
        environment["PATH"] = f"{program.parent}:{environment['PATH']}"
        script = "".join(f"echo '{MARK.format(n)}'\n{it}" for n, it in enumerate(BLOCKS))
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, env=environment, capture_output=True,
            text=True, timeout=110,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout[-2_000:] + ran.stderr[-2_000:]
        yield [it.strip() for it in re.split(r"^-- block \d+ --\n", ran.stdout, flags=re.MULTILINE)[1:]]  # fmt: skip


def test_the_first_admin_is_there_and_lets_others_in(told: list[str]) -> None:
    assert len(told) == len(BLOCKS)
    assert "admin" in told[0]
    assert "completed" in told[1]


def test_tokens_are_named_and_change_over(told: list[str]) -> None:
    assert "laptop" in told[2]
    assert len(re.findall(r"agw_\w", told[4])) == 1


def test_the_record_is_checked_with_its_key_alone(told: list[str]) -> None:
    assert "user:write" in told[5]
    assert re.search(r"\d+ entries", told[6])


def test_what_is_left_is_handed_on_and_purged(told: list[str]) -> None:
    assert "deleted-user" in told[7]
    assert "bob has alice now" in told[7]
    assert told[7].endswith("default/bob is gone, with its data.")


def test_its_settings_are_settings() -> None:
    named = re.findall(r"`PERDURE_([A-Z_]+)`", PAGE)
    assert named
    assert [it for it in named if it.lower() not in Settings.model_fields] == []
