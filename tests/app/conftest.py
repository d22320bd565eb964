"""The command line as a person has it: a home of its own, no settings but the test's, and a way to call it."""

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import NamedTuple

import pytest

from perdure.app.cli import main
from tests.support.planes import DATABASES
from tests.support.scripted_gateway import ScriptedGateway


class Ran(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


Perdure = Callable[..., Ran]


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """Each of the databases in turn."""
    name: str = request.param
    return name


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory, and no setting from outside."""
    for name in os.environ:
        if name.startswith(("PERDURE_", "ABSTRACTGATEWAY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    folder = tmp_path / "perdure"
    monkeypatch.setenv("PERDURE_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Generator[ScriptedGateway]:
    """A scripted gateway, and settings that name it."""
    with ScriptedGateway() as scripted:
        monkeypatch.setenv("PERDURE_URL", scripted.url)
        monkeypatch.setenv("PERDURE_TOKEN", "agw_test")
        yield scripted


@pytest.fixture
def perdure(capsys: pytest.CaptureFixture[str]) -> Perdure:
    """Call the command line with words, and take down how it ends and what it says."""

    def run(*words: str) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        said = capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Ran(code or 0, said.out, said.err)

    return run
