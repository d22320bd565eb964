"""`perdure settings` prints every setting, and of a secret only whether it is set."""

import json

import pytest

from perdure.app.settings import Settings
from tests.app.conftest import Perdure


def test_every_setting_is_there_with_its_source(
    perdure: Perdure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_PORT", "9000")
    monkeypatch.setenv("ABSTRACTGATEWAY_MAX_SSE", "7")
    rows = {it["name"]: it for it in json.loads(perdure("settings", "--json").out)}
    assert set(rows) == {f"PERDURE_{name.upper()}" for name in Settings.model_fields}
    assert (rows["PERDURE_PORT"]["value"], rows["PERDURE_PORT"]["source"]) == (
        "9000",
        "environment",
    )
    assert rows["PERDURE_MAX_STREAMS"]["source"] == "environment (ABSTRACTGATEWAY_MAX_SSE)"
    assert rows["PERDURE_HOST"]["source"] == "default"
    assert all(it["meaning"] for it in rows.values())


def test_secrets_are_not_printed(perdure: Perdure, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTH_TOKEN", "TOKEN", "DATABASE_URL", "PROVIDER_OPENAI_API_KEY"):
        monkeypatch.setenv(f"PERDURE_{name}", "hunter2")
    monkeypatch.setenv("PERDURE_PROVIDER_OPENAI_BASE_URL", "https://models.example")
    for ran in (perdure("settings"), perdure("settings", "--json")):
        assert "hunter2" not in ran.out + ran.err
    out = perdure("settings").out
    assert "PERDURE_AUTH_TOKEN=set  (environment)\n" in out
    assert "PERDURE_PROVIDER_OPENAI_API_KEY=set  (environment)\n" in out
    assert "PERDURE_PROVIDER_OPENAI_BASE_URL=https://models.example" in out


def test_the_command_line_is_a_source(perdure: Perdure) -> None:
    out = perdure("settings", "--data-dir", "/data").out
    assert "PERDURE_DATA_DIR=/data  (command line)\n" in out
    assert "default: ~/.local/share/perdure" in out


def test_a_name_that_means_nothing_is_told(
    perdure: Perdure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_PORRT", "1")
    ran = perdure("settings")
    assert ran.code == 0
    assert "PERDURE_PORRT is set in the environment and means nothing here.\n" in ran.err


def test_settings_that_cannot_be_meant_are_usage(
    perdure: Perdure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_PORT", "no")
    assert perdure("settings").code == 2
