"""The tour of the README runs as it stands, in one shell, on a real gateway."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.house.tree import ROOT
from tests.support.models import embedded_file
from tests.support.served import Served

README = (ROOT / "README.md").read_text()
TOUR = README.partition("<!-- tour -->")[2].partition("<!-- end of the tour -->")[0]
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", TOUR, re.MULTILINE | re.DOTALL)
MARK = "-- block {} --"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Generator[list[str]]:
    """What each block of the tour prints."""
    settings = {"PERDURE_MODELS_DIR": str(embedded_file().parent)}
    with Served(tmp_path_factory.mktemp("tour") / "perdure", settings=settings) as gateway:
        environment = gateway.environment() | {"PERDURE_URL": gateway.url}
        environment["PATH"] = with_curl(tmp_path_factory.mktemp("bin"), environment["PATH"])
        script = "".join(f"echo '{MARK.format(n)}'\n{it}" for n, it in enumerate(BLOCKS))
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], env=environment, capture_output=True, text=True, timeout=110,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout[-2_000:] + ran.stderr
        assert ran.stderr == ""
        yield [it.strip() for it in re.split(r"^-- block \d+ --\n", ran.stdout, flags=re.MULTILINE)[1:]]  # fmt: skip


def with_curl(folder: Path, path: str) -> str:
    """The search path, with a stand-in for curl on the machine that has none."""
    if shutil.which("curl") is None:
        (folder / "curl").write_text(f"#!/bin/sh\nexec {sys.executable} {ROOT}/tests/support/curl.py \"$@\"\n")  # fmt: skip
        (folder / "curl").chmod(0o755)
    return f"{folder}:{path}"


def test_the_tour_is_there() -> None:
    assert len(BLOCKS) == 9


def test_the_gateway_answers(told: list[str]) -> None:
    assert json.loads(told[0])["status"] == "healthy"


def test_the_stream_shows_the_steps_and_the_words_and_ends(told: list[str]) -> None:
    events = re.findall(r"^event: (\w+)$", told[2], re.MULTILINE)
    assert events[0] == "step"
    assert "delta" in events
    assert events[-1] == "done"
    ids = [int(it) for it in re.findall(r"^id: (\d+)$", told[2], re.MULTILINE)]
    assert ids == list(range(1, len(ids) + 1))


def test_the_answer_and_the_ledger_are_to_be_read(told: list[str]) -> None:
    answer, _, page = told[3].partition("\n")
    assert len(answer) > 3
    items = json.loads(page)["items"]
    assert [it["run_id"] for it in items] == [told[1]] * 2


def test_a_waiting_run_says_what_for(told: list[str]) -> None:
    assert '"type":"question"' in told[4]
    assert "Tea or coffee?" in told[4]


def test_a_command_is_taken_once_and_the_answer_is_the_run_s(told: list[str]) -> None:
    first, second, *events, response = [line for line in told[5].splitlines() if line]
    assert json.loads(first)["accepted"] is True
    assert json.loads(second)["duplicate"] is True
    assert set(events[:-1]) == {"event: step"}
    assert events[-1] == "event: done"
    assert response == "Tea."


def test_the_state_of_the_past_differs_from_the_last(told: list[str]) -> None:
    past, last, verdict = [json.loads(it) for it in told[6].splitlines()]
    assert past["seq"] == 1
    assert past["cells"] != last["cells"]
    assert verdict["ok"] is True


def test_a_repeated_start_is_the_same_run(told: list[str]) -> None:
    first, second = told[7].splitlines()
    assert first == second


def test_the_run_is_cancelled_with_its_reason(told: list[str]) -> None:
    accepted, reason = told[8].splitlines()
    assert json.loads(accepted)["accepted"] is True
    assert reason == "the tour is over"
