"""Each check finds what it is there for, changes nothing, and names what mends it."""

import os
import socket
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perdure.app.doctor import (
    clock,
    code_sandbox,
    data_folder,
    database,
    disk_space,
    findings,
    gateway,
    model_file,
    names_known,
    open_files,
    pdf_pages,
    token_file,
)
from perdure.app.findings import Finding, Level
from perdure.app.settings import Settings, read_settings
from perdure.app.token_files import token_of
from perdure.clock import SystemClock, text_of
from perdure.features.code.sandbox import sandbox
from tests.support.loopback import unused_port
from tests.support.scripted_gateway import ScriptedGateway, problem

Check = Callable[[Settings], Iterator[Finding]]


def found(check: Check, **given: Any) -> Finding:
    """The one thing that a check finds."""
    [only] = check(read_settings(**given))
    return only


def test_a_machine_in_order_has_nothing_wrong_and_nothing_changed(home: Path) -> None:
    levels = {it.name: it.level for it in findings(read_settings(port=unused_port()))}
    assert Level.WRONG not in levels.values()
    assert not home.exists()


def test_a_name_that_nobody_reads_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_PORRT", "1")
    first, *_ = names_known(read_settings())
    assert first.level is Level.WARNING
    assert first.mend.startswith("unset PERDURE_PORRT")


def test_a_data_directory_that_others_can_read_is_found(home: Path) -> None:
    home.mkdir()
    home.chmod(0o755)
    assert found(data_folder) == Finding(
        Level.WARNING, "data directory", f"{home} is open to other accounts", f"chmod 700 {home}"
    )
    home.chmod(0o700)
    assert found(data_folder).level is Level.OK
    assert list(home.iterdir()) == []


def test_a_data_directory_that_cannot_be_written_is_found(home: Path) -> None:
    home.write_text("a file stands where the folder should")
    assert found(data_folder).level is Level.WRONG
    assert found(data_folder, data_dir=home / "below").level is Level.WRONG


def test_a_disk_that_is_full_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    for free, level in [(10, Level.WRONG), (500 * 2**20, Level.WARNING), (2**40, Level.OK)]:
        monkeypatch.setattr("shutil.disk_usage", lambda _, it=free: usage(0, 0, it))
        assert found(disk_space).level is level


def test_a_token_that_others_can_read_is_found(home: Path) -> None:
    assert found(token_file).level is Level.OK
    token_of(read_settings())
    assert found(token_file).level is Level.OK
    (home / "token").chmod(0o640)
    assert found(token_file).mend == f"chmod 600 {home}/token"
    (home / "token").chmod(0o600)
    (home / "token").write_text("")
    assert found(token_file).detail.endswith("is empty")
    assert found(token_file, auth_token="agw_x").level is Level.OK


def test_too_few_open_files_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 1024))
    assert found(open_files).mend.startswith("ulimit -n")
    assert found(open_files, max_streams=10).level is Level.OK


def test_the_database_is_looked_at() -> None:
    assert found(database).name == "SQLite"
    away = f"postgresql+psycopg://me:hunter2@127.0.0.1:{unused_port()}/perdure"
    told = found(database, database_url=away)
    assert told.level is Level.WRONG
    assert told.mend == "start it, or correct PERDURE_DATABASE_URL"
    assert "hunter2" not in told.detail


def test_a_model_that_is_missing_or_damaged_is_found(home: Path) -> None:
    path = home / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert found(model_file).mend.endswith("models install")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of it")
    assert found(model_file).level is Level.WRONG
    assert found(model_file, embedded_model=False).level is Level.OK


def test_a_model_that_is_named_stands_in_for_the_built_in_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PERDURE_MODEL", "ollama/qwen3:8b")
    assert [it.level for it in model_file(read_settings())] == [Level.OK, Level.OK]
    monkeypatch.setenv("PERDURE_MODEL", "nothing")
    assert found(model_file).level is Level.WRONG


def test_a_clock_that_went_back_is_found(home: Path) -> None:
    home.mkdir()
    assert found(clock).level is Level.OK
    ahead = SystemClock().now().timestamp() + 3_600
    os.utime(home, (ahead, ahead))
    assert found(clock).level is Level.WRONG


def test_a_gateway_that_answers_is_told(gateway_url: str, answers: ScriptedGateway) -> None:
    answers.on("GET", "/ping", (200, {"time": text_of(SystemClock().now())}))
    assert found(gateway) == Finding(Level.OK, "gateway", f"answers at {gateway_url}")
    answers.on("GET", "/ping", (200, {"time": "2001-01-01T00:00:00+00:00"}))
    assert "has another time" in found(gateway).detail
    answers.on("GET", "/ping", problem(401, "unauthenticated", "No."))
    assert found(gateway).mend == "give it with --token or PERDURE_TOKEN"
    answers.on("GET", "/ping", lambda call, exchange: exchange.reply(200, b"<h1>hello</h1>"))
    assert "is no gateway of ours" in found(gateway).detail


@pytest.fixture
def answers(gateway: ScriptedGateway) -> ScriptedGateway:
    return gateway


@pytest.fixture
def gateway_url(answers: ScriptedGateway) -> str:
    return answers.url


def test_a_port_that_another_program_has_is_found() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        told = found(gateway, port=port)
    assert told.level is Level.WRONG
    assert told.mend == f"another port: PERDURE_PORT={port + 1}"
    assert found(gateway, port=unused_port()).level is Level.OK


def test_a_gateway_that_is_named_has_to_answer() -> None:
    told = found(gateway, url=f"http://127.0.0.1:{unused_port()}")
    assert told.mend == "start it, or correct PERDURE_URL"


def test_it_tells_whether_pdfs_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(pdf_pages) == Finding(Level.OK, "PDF", "is read and written")
    broken = tmp_path / "broken.ttf"
    broken.touch()
    told = found(pdf_pages, pdf_fonts=[broken])
    assert told.level is Level.WARNING and told.mend == "correct PERDURE_PDF_FONTS"
    monkeypatch.setattr("perdure.app.doctor.find_spec", lambda _name: None)
    assert "perdure[pdf]" in found(pdf_pages, pdf_fonts=[broken]).mend


def test_it_tells_whether_code_can_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(code_sandbox) == Finding(Level.OK, "code", "runs in a sandbox (landlock)")
    keeper = tmp_path / "keeper.py"
    keeper.write_text('print(\'{"ended": "refused", "detail": "an old kernel"}\')')
    monkeypatch.setattr(sandbox, "KEEPER", keeper)
    finding = found(code_sandbox)
    assert finding.level is Level.WARNING and "an old kernel" in finding.detail
    assert "perdure[sandbox]" in finding.mend
