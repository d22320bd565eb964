"""The command line as a person has it: quick, helpful, and true to a real gateway."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from perdure import __version__
from perdure.app.failures import EXIT_CODES
from tests.app.conftest import Perdure
from tests.support.models import embedded_file
from tests.support.openai_server import MODEL, OpenAiServer
from tests.support.reference_cli import REFERENCE, cli_page
from tests.support.served import PERDURE, Served

HEAVY = ["alembic", "fastapi", "httpx2", "pydantic", "rich", "sqlalchemy", "uvicorn"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """A real gateway, whose models are scripted."""
    with OpenAiServer() as model:
        names = {"PERDURE_PROVIDER_SCRIPTED_BASE_URL": model.base_url, "PERDURE_MODEL": f"scripted/{MODEL}"}  # fmt: skip
        with Served(tmp_path_factory.mktemp("cli") / "perdure", settings=names) as served:
            yield served


@pytest.fixture
def live(served: Served, perdure: Perdure, monkeypatch: pytest.MonkeyPatch) -> Perdure:
    """The command line on the machine of the real gateway; it finds the token by itself."""
    monkeypatch.setenv("PERDURE_DATA_DIR", str(served.data_dir))
    monkeypatch.setenv("PERDURE_URL", served.url)
    return perdure


# --- by itself -----------------------------------------------------------------------------------


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, perdure.app.cli; print([it for it in {HEAVY} if it in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "[]\n", ran.stderr


def test_help_lists_the_commands_and_the_exit_codes(perdure: Perdure) -> None:
    told = perdure("--help").out
    for code, meaning in EXIT_CODES.items():
        assert re.search(rf"^ +{code}  {re.escape(meaning)}$", told, re.MULTILINE)
    assert "\n  quickstart  " in told
    assert perdure("-h").out == told


def test_no_help_is_cut_short(perdure: Perdure) -> None:
    told = perdure("--help").out
    groups = re.findall(r"^  ([a-z]+) ", told.partition("\nCommands:\n")[2], re.MULTILINE)
    assert "schedules" in groups
    for words in ([], *([it] for it in groups)):
        assert "..." not in perdure(*words, "--help").out.partition("\nCommands:\n")[2], words


def test_the_version_is_told(perdure: Perdure) -> None:
    assert perdure("--version").out == f"perdure {__version__}\n"


def test_the_page_of_commands_is_as_they_are() -> None:
    page = REFERENCE / "cli.md"
    assert page.read_text() == cli_page(), "run `python -m tests.support.reference_cli`"


@pytest.mark.parametrize("words", [["--nope"], ["nope"], ["show"], ["runs", "--limit", "0"]])
def test_a_command_that_cannot_be_meant_ends_with_2(words: list[str], perdure: Perdure) -> None:
    ran = perdure(*words)
    assert ran.code == 2
    assert "Error: " in ran.err


def test_a_reader_that_goes_away_ends_it_quietly(served: Served) -> None:
    command = [*PERDURE, "--url", served.url, "openapi"]
    with subprocess.Popen(
        command, env=served.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as it:
        assert it.stdout is not None
        it.stdout.close()
        _, told = it.communicate(timeout=60)
    assert "Traceback" not in told


# --- with a real gateway -------------------------------------------------------------------------


def test_a_run_is_started_shown_listed_and_checked(live: Perdure) -> None:
    ran = live("run", "basic-agent", "Where?")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("answer ")
    assert re.search(r"^ +\d+  reason +llm_call +completed", ran.err, re.MULTILINE)
    assert "│ answer" in ran.err
    [run] = json.loads(live("runs", "-n", "1", "--json").out)
    assert "status   completed" in live("show", run["run_id"]).out
    lines = live("ledger", run["run_id"], "--json").out.splitlines()
    assert [json.loads(line)["cursor"] for line in lines] == list(range(1, run["ledger_len"] + 1))
    assert live("ledger", run["run_id"]).out == live("ledger", run["run_id"], "--follow").out
    assert live("verify", run["run_id"]).code == 0


def test_a_question_is_answered(live: Perdure) -> None:
    asked = live("run", "ask-first", "-i", 'choices=["tea", "coffee"]')
    assert asked.code == 3
    found = re.search(r"answer (\S+)$", asked.err, re.MULTILINE)
    assert found
    assert "1  tea" in live("show", found[1]).out
    assert live("answer", found[1], "-c", "1").code == 0
    told = live("ledger", found[1], "--follow").out
    assert "answer_user       completed  tea" in told


def test_a_sleeping_run_is_held_let_go_and_ended(live: Perdure) -> None:
    run_id = live("run", "two-timers", "--detach", "-i", "first_s=600").out.strip()
    assert live("pause", run_id, "--reason", "lunch").out == "Paused.\n"
    assert "paused     lunch" in live("show", run_id).out
    assert live("resume", run_id).out == "It goes on.\n"
    assert live("cancel", run_id, "--reason", "enough").out == "Cancelled.\n"
    assert "error    enough" in live("show", run_id).out
    too_late = live("cancel", run_id)
    assert too_late.code == 1
    assert "has ended" in too_late.err


def test_bundles_come_and_go(live: Perdure, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    source = Path(__file__).parents[2] / "bundles" / "ask-first"
    (folder / "flows").mkdir(parents=True)
    manifest = (source / "manifest.json").read_text().replace('"1.0.0"', '"7.0.0"')
    (folder / "manifest.json").write_text(manifest)
    (folder / "flows/ask-first.json").write_text((source / "flows/ask-first.json").read_text())
    assert live("bundles", "upload", str(folder)).code == 0
    assert "ask-first@7.0.0" in live("bundles", "list").out
    assert "prompt (string" in live("bundles", "show", "ask-first@7.0.0").out
    assert live("bundles", "deprecate", "ask-first", "--reason", "old").code == 0
    assert "deprecated: old" in live("run", "ask-first", "-d").err
    assert live("bundles", "undeprecate", "ask-first").code == 0
    assert live("bundles", "remove", "ask-first@7.0.0").code == 0
    assert "ask-first@7.0.0" not in live("bundles", "list", "--versions").out


def test_what_is_wrong_is_told_with_its_exit_code(live: Perdure) -> None:
    assert live("--token", "agw_wrong", "runs").code == 5
    assert live("show", "no-such-run").code == 1
    assert live("run", "no-such-bundle").code == 1
    refused = live("runs", "--status", "nope")
    assert refused.code == 1
    assert "status" in refused.err


def test_a_machine_that_serves_is_in_order(live: Perdure, served: Served) -> None:
    assert f"ok      gateway: answers at {served.url}" in live("doctor").out


def test_the_document_of_the_api_is_to_be_had(live: Perdure) -> None:
    assert "/api/gateway/runs/start" in json.loads(live("openapi").out)["paths"]


def test_a_person_at_a_terminal_is_asked(served: Served) -> None:
    here, there = os.openpty()
    command = [*PERDURE, "--url", served.url, "run", "ask-first"]
    with subprocess.Popen(
        command, env=served.environment(), stdin=there, stdout=there, stderr=there
    ) as asking:
        os.close(there)
        shown = ""
        while piece := read(here):
            if "> " in piece:
                os.write(here, b"tea first\n")
            shown += piece
        assert asking.wait(60) == 0, shown
    os.close(here)
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert "answer_user       completed  tea first" in plain


def read(terminal: int) -> str:
    """What the terminal shows next; nothing once its program is gone, which Linux tells as an error."""
    try:
        return os.read(terminal, 4096).decode()
    except OSError:
        return ""


def test_a_newcomer_s_first_start_and_the_second(tmp_path: Path) -> None:
    settings = {"PERDURE_MODELS_DIR": str(embedded_file().parent)}
    with Served(tmp_path / "perdure", ["quickstart"], settings) as first:
        first.until("It goes on serving. Ctrl-C stops it.")
        assert first.interrupt() == 0
    told = "".join(first.said)
    answer = told.partition("\nAnswer\n")[2].splitlines()[0]
    assert "Paris" in answer
    assert "is a toy" in told
    assert f"Token  {first.token}" in told
    assert "Every run is kept" in told
    with Served(tmp_path / "perdure", ["quickstart", "Say hello."], settings) as second:
        second.until("1 earlier run is kept; the latest:")
        second.until("It goes on serving. Ctrl-C stops it.")
        assert second.interrupt() == 0
