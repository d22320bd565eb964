"""Settings come from four places, in order; what cannot be meant is refused; secrets stay secret."""

from collections import Counter
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from pydantic import BaseModel
from pydantic_settings import BaseSettings

from perdure.app import sections as sections_package
from perdure.app.settings import (
    Settings,
    default_text,
    old_names,
    read_settings,
    source_of,
    unknown_names,
    variables,
)
from perdure.app.token_files import token_of
from perdure.errors import Invalid
from tests.support.reference_cli import REFERENCE, settings_page


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "perdure.toml"
    path.write_text('port = 7001\nprovider_openai_api_key = "in-the-file"\n')
    monkeypatch.setenv("PERDURE_CONFIG", str(path))
    return path


def test_the_default_holds_where_nothing_is_said() -> None:
    assert read_settings().port == 8080
    assert source_of("port", {}) == "default"


def test_each_place_wins_over_the_one_before(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [(read_settings().port, source_of("port", {}))]
    monkeypatch.setenv("ABSTRACTGATEWAY_PORT", "7002")
    seen.append((read_settings().port, source_of("port", {})))
    monkeypatch.setenv("PERDURE_PORT", "7003")
    seen.append((read_settings().port, source_of("port", {})))
    given = {"port": 7004}
    seen.append((read_settings(**given).port, source_of("port", given)))
    assert seen == [
        (7001, "file"),
        (7002, "environment (ABSTRACTGATEWAY_PORT)"),
        (7003, "environment"),
        (7004, "command line"),
    ]


def test_the_names_of_the_replaced_gateway_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERDURE_DATA_DIR")
    monkeypatch.setenv("ABSTRACTGATEWAY_DATA_DIR", "/data/old")
    monkeypatch.setenv("ABSTRACTGATEWAY_AUTH_TOKEN", "agw_old")
    settings = read_settings()
    assert settings.data_dir == Path("/data/old")
    assert token_of(settings).get_secret_value() == "agw_old"
    assert old_names("max_streams") == ["ABSTRACTGATEWAY_MAX_SSE"]


def test_the_data_directory_is_where_such_things_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PERDURE_DATA_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert read_settings().data_dir == tmp_path / "perdure"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_settings().data_dir == tmp_path / ".local/share/perdure"


@pytest.mark.parametrize("name", ["SECURITY", "PROTECT_READ", "PROTECT_WRITE"])
def test_security_cannot_be_switched_off(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"ABSTRACTGATEWAY_{name}", "0")
    with pytest.raises(Invalid, match=f"ABSTRACTGATEWAY_{name} is refused: "):
        read_settings()


@pytest.mark.parametrize("value", ["1", "true", " ON "])
def test_promise_13_reads_without_a_credential_cannot_be_switched_on(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABSTRACTGATEWAY_DEV_READ_NO_AUTH", value)
    with pytest.raises(Invalid, match="ABSTRACTGATEWAY_DEV_READ_NO_AUTH is refused: "):
        read_settings()
    monkeypatch.setenv("ABSTRACTGATEWAY_DEV_READ_NO_AUTH", "0")
    assert not unknown_names()
    read_settings()


def test_a_value_that_cannot_be_meant_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PERDURE_PORT", "99999")
    with pytest.raises(Invalid, match="PERDURE_PORT: input should be less than or equal to 65535"):
        read_settings()


def test_a_name_in_the_file_that_is_none_is_refused(file: Path) -> None:
    file.write_text("porrt = 7001\n")
    with pytest.raises(Invalid, match="PERDURE_PORRT: there is no such setting"):
        read_settings()


@pytest.mark.parametrize(
    ("text", "why"), [("port = ", "is no TOML"), (None, "cannot be read: No such file")]
)
def test_a_file_that_cannot_be_read_is_no_empty_file(
    text: str | None, why: str, file: Path
) -> None:
    file.unlink()
    if text is not None:
        file.write_text(text)
    with pytest.raises(Invalid, match=why):
        read_settings()


def test_a_name_in_the_environment_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_PORRT", "1")
    monkeypatch.setenv("ABSTRACTGATEWAY_FLOWS_DIR", "x")
    monkeypatch.setenv("PERDURE_PROVIDER_OPENAI_API_KEY", "x")
    assert unknown_names() == ["ABSTRACTGATEWAY_FLOWS_DIR", "PERDURE_PORRT"]


def test_what_a_feature_reads_comes_from_the_file_and_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_MODEL", "openai/gpt-9")
    found = variables()
    assert found["PERDURE_PROVIDER_OPENAI_API_KEY"] == "in-the-file"
    assert found["PERDURE_MODEL"] == "openai/gpt-9"
    monkeypatch.setenv("PERDURE_PROVIDER_OPENAI_API_KEY", "in-the-environment")
    assert variables()["PERDURE_PROVIDER_OPENAI_API_KEY"] == "in-the-environment"


def test_secrets_are_in_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_AUTH_TOKEN", "agw_hunter2")
    monkeypatch.setenv("PERDURE_DATABASE_URL", "postgresql://me:hunter2@db/perdure")
    assert "hunter2" not in repr(read_settings())
    monkeypatch.setenv("PERDURE_MAX_STREAMS", "agw_hunter2")
    with pytest.raises(Invalid) as refused:
        read_settings()
    assert "hunter2" not in refused.value.detail


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_in_a_line_what_it_means(name: str) -> None:
    meaning = Settings.model_fields[name].description
    assert meaning
    assert "\n" not in meaning
    assert default_text(name)


def test_the_page_of_settings_is_as_they_are() -> None:
    page = REFERENCE / "settings.md"
    assert page.read_text() == settings_page(), "run `python -m tests.support.reference_cli`"


def test_a_font_that_is_not_there_is_refused(tmp_path: Path) -> None:
    font = tmp_path / "a.ttf"
    with pytest.raises(Invalid):
        read_settings(pdf_fonts=str(font))
    font.touch()
    assert read_settings(pdf_fonts=f"{font}, {font}").pdf_fonts == (font, font)


def sections() -> list[type[BaseModel]]:
    """The models that the modules of sections define."""
    modules = [
        import_module(f"{sections_package.__name__}.{it.name}")
        for it in iter_modules(sections_package.__path__)
    ]
    return [
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, BaseModel)
        and kind.__module__ == module.__name__
    ]


def test_every_section_is_joined_and_no_two_name_the_same_setting() -> None:
    assert {*sections(), BaseSettings} == set(Settings.__bases__)
    named = Counter(name for section in sections() for name in section.model_fields)
    assert [name for name, times in named.items() if times > 1] == []
    assert set(named) == set(Settings.model_fields), "a setting stands in a section"
