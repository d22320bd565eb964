"""What a sandbox stands on is made once, and a way that is not there says why."""

import ctypes
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest

from perdure.features.code.sandbox import ways
from perdure.features.code.sandbox.ways import Landlock, Missing, Wasm
from tests.support.sandboxes import ROOT

pytestmark = pytest.mark.anyio
ENGINE = "import json, pathlib, sys\norder = json.loads(sys.argv[1])\n"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the place of the engine, to be written."""
    monkeypatch.setattr(ways, "ENGINE", tmp_path / "engine.py")
    return tmp_path / "engine.py"


async def test_a_tree_is_planted_once_and_felled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    way = Landlock()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(way.ready)
            group.start_soon(way.ready)
        assert await way.ready() == await way.ready()
        assert [str(it) for it in tmp_path.iterdir()] == [(await way.ready())["tree"]["root"]]
    finally:
        way.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("known", "there"), [(5, False), (6, True), (-1, False)])
async def test_landlock_is_there_where_the_kernel_and_the_library_know_enough(
    known: int, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(syscall=lambda *_: known))
    assert Landlock().there() is there
    monkeypatch.setattr(ways, "find_spec", lambda _: None)
    assert not Landlock().there() and not Wasm(ROOT).there()


async def test_webassembly_is_there_where_it_is_installed() -> None:
    assert Wasm(ROOT).there()


async def test_a_tree_that_cannot_be_planted_is_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(Missing, match="no folder for it can be made"):
        await Landlock().ready()


async def test_the_machines_code_is_made_once_for_all_who_ask(tmp_path: Path, engine: Path) -> None:
    times = tmp_path / "times"
    engine.write_text(
        f"{ENGINE}open({str(times)!r}, 'a').write(order['folder'])\nprint(json.dumps({{'module': 'made'}}))"
    )
    way = Wasm(tmp_path / "kept")
    async with anyio.create_task_group() as group:
        group.start_soon(way.ready)
        group.start_soon(way.ready)
    assert await way.ready() == {"module": "made", "engine": str(engine)}
    assert times.read_text() == str(tmp_path / "kept")


@pytest.mark.parametrize(
    ("said", "why"),
    [('print(\'{"refused": "no engine"}\')', "no engine"), ("raise SystemExit(1)", "made ready")],
)
async def test_an_engine_that_makes_nothing_is_why(
    said: str, why: str, tmp_path: Path, engine: Path
) -> None:
    engine.write_text(said)
    with pytest.raises(Missing, match=why):
        await Wasm(tmp_path).ready()


async def test_an_engine_that_makes_it_too_long_is_given_up(
    tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "PREPARE_S", 0.0)
    engine.write_text("import signal\nsignal.pause()")
    with pytest.raises(Missing, match="made ready"):
        await Wasm(tmp_path).ready()


async def test_what_one_process_made_the_next_one_finds() -> None:
    first, second = Wasm(ROOT / ".cache/code"), Wasm(ROOT / ".cache/code")
    made = Path((await first.ready())["module"])
    before = made.stat().st_ino
    assert Path((await second.ready())["module"]) == made
    assert made.stat().st_ino == before
