"""Log lines are for whoever runs the program: as text or JSON, as many as were asked for, and without what people write."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.asker import Asker
from tests.support.openai_server import Answer, OpenAiServer
from tests.support.served import Served

SAYING = """
import logging
import structlog
from perdure.app.logs import set_up_logs
from perdure.app.settings import read_settings
set_up_logs(read_settings(log_level={level!r}, log_format={format!r}))
log = structlog.get_logger("perdure")
for level in ("debug", "info", "warning", "error"):
    log.log(getattr(logging, level.upper()), level + " said", number=7)
logging.getLogger("another").info("of a library")
logging.getLogger("another").error("error of a library")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it went wrong")
"""
SECRETS = ("agw_of_a_test", "sk-of-a-provider", "plum-prompt", "plum-answer", "plum-reply")


def said(level: str, format: str) -> list[str]:
    """What a process writes to standard error that logs at every level."""
    code = SAYING.format(level=level, format=format)
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == ""
    return ran.stderr.splitlines()


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_below_the_level_is_not_written(level: str, heard: list[str]) -> None:
    lines = said(level, "text")
    for one in ("debug", "info", "warning", "error"):
        assert any(f"{one} said" in line for line in lines) == (one in heard), one
    assert "error of a library" in lines
    assert "of a library" not in lines


def test_a_machine_reads_a_line_as_an_object() -> None:
    lines = [json.loads(line) for line in said("info", "json") if line.startswith("{")]
    assert [(it["level"], it["event"]) for it in lines] == [
        ("info", "info said"), ("warning", "warning said"), ("error", "error said"), ("error", "it went wrong"),
    ]  # fmt: skip
    assert lines[0]["number"] == 7
    assert lines[0]["timestamp"].endswith("Z")
    assert "ZeroDivisionError" in lines[-1]["exception"]


@pytest.fixture
def model() -> Iterator[OpenAiServer]:
    """A model that fails at first."""
    failing = Answer(status=400, error="plum-reply")
    with OpenAiServer(answers=[failing, Answer("plum-reply")]) as server:
        yield server


def test_nothing_that_a_person_wrote_and_no_secret_is_in_a_line(
    home: Path, model: OpenAiServer
) -> None:
    settings = {
        "PERDURE_LOG_LEVEL": "debug", "PERDURE_LOG_FORMAT": "json", "PERDURE_AUTH_TOKEN": "agw_of_a_test",
        "PERDURE_MODEL": "scripted/scripted-1", "PERDURE_PROVIDER_SCRIPTED_BASE_URL": model.base_url,
        "PERDURE_PROVIDER_SCRIPTED_API_KEY": "sk-of-a-provider",
    }  # fmt: skip
    with Served(home, settings=settings) as served:
        with Asker(served.url, "agw_of_a_test") as it:
            write_plums(it)
        assert served.interrupt() == 0
    assert model.counter == 2
    lines = [json.loads(line) for line in served.said if line.startswith("{")]
    assert {"serving", "request", "stopping"} <= {line["event"] for line in lines}
    written = "".join(served.said)
    assert [secret for secret in SECRETS if secret in written] == []


def write_plums(it: Asker) -> None:
    """Have everything written once that a person, or a model, may write."""
    for status in ("failed", "completed"):
        it.follow_to_end(it.start("basic-llm", prompt="plum-prompt"), status)
    run_id = it.start("ask-first", prompt="plum-prompt")
    it.answer(run_id, "plum-answer")
    it.follow_to_end(run_id, "completed")
