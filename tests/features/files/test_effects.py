"""The effects on files: what they answer, and whose files they reach."""

from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from perdure.features.files.feature import files_feature
from perdure.features.files.pdf.bounds import PdfBounds
from perdure.features.files.pdf.pdfs import Pdfs
from perdure.ids import Key, RunId, StepId
from perdure.kernel.model import Effect, Failed, Ok, Outcome
from perdure.registry.effects import EffectContext
from tests.support.builders import a_birth
from tests.support.clock import FakeClock

pytestmark = pytest.mark.anyio
FEATURE = files_feature(Pdfs(PdfBounds()))
ROOT = a_birth()
CHILD = replace(ROOT, id=RunId("child"), parent_id=ROOT.id)
OTHER = replace(ROOT, id=RunId("other"), root_id=RunId("other"))


async def do(kind: str, folder: Path | None, run: Any = ROOT, **payload: Any) -> Outcome:
    """Perform one effect for a run."""
    context = EffectContext(
        run=run, step_id=StepId("s"), key=Key("k"), attempt=1, clock=FakeClock(), http=cast(Any, None),
        plane=cast(Any, None), publish=lambda delta: None, workspaces=folder,
    )  # fmt: skip
    return await FEATURE.effects[kind].handle(Effect(kind, payload, "0", "node"), context)


async def test_a_file_is_written_and_read(tmp_path: Path) -> None:
    assert await do("write_file", tmp_path, file_path="a/b.txt", content="é") == Ok(
        {"bytes": 2, "file_path": "a/b.txt"}
    )
    read = await do("read_file", tmp_path, file_path="a/b.txt")
    assert read == Ok({"content": "é", "file_path": "a/b.txt"})


async def test_json_is_read_as_json(tmp_path: Path) -> None:
    await do("write_file", tmp_path, file_path="a.json", content={"k": [1]})
    read = await do("read_file", tmp_path, file_path="a.json")
    assert read == Ok({"content": {"k": [1]}, "file_path": "a.json"})
    await do("write_file", tmp_path, file_path="b.json", content="{")
    assert await do("read_file", tmp_path, file_path="b.json") == Failed(
        "not_json", "'b.json' is no JSON"
    )


async def test_a_child_has_the_files_of_its_root_and_no_other_run_has(tmp_path: Path) -> None:
    await do("write_file", tmp_path, file_path="a.txt", content="mine")
    assert isinstance(await do("read_file", tmp_path, CHILD, file_path="a.txt"), Ok)
    other = await do("read_file", tmp_path, OTHER, file_path="a.txt")
    assert other == Failed("not_found", "there is no 'a.txt' in the workspace")


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "", None, 7, ["a"]])
async def test_a_path_that_leads_out_or_nowhere_is_refused(tmp_path: Path, path: Any) -> None:
    for kind in ("read_file", "write_file", "import_workspace_file"):
        outcome = await do(kind, tmp_path, file_path=path)
        assert isinstance(outcome, Failed)
        assert outcome.code == "not_found"


async def test_bytes_that_are_no_text_are_not_read(tmp_path: Path) -> None:
    await do("write_file", tmp_path, file_path="a.bin", content="x")
    (tmp_path / ROOT.root_id / "a.bin").write_bytes(b"\xff\xfe")
    assert await do("read_file", tmp_path, file_path="a.bin") == Failed(
        "not_text", "'a.bin' is no text"
    )


async def test_a_folder_is_listed_by_its_endings(tmp_path: Path) -> None:
    for path in ("a.txt", "b.PNG", "c/d.md"):
        await do("write_file", tmp_path, file_path=path, content="")

    async def files(**payload: Any) -> Any:
        outcome = await do("list_folder_files", tmp_path, **payload)
        assert isinstance(outcome, Ok)
        return outcome.result["files"]

    assert await files() == ["a.txt", "b.PNG"]
    assert await files(recursive=True, family="text") == ["a.txt", "c/d.md"]
    assert await files(recursive=True, extensions=".png, md") == ["b.PNG", "c/d.md"]
    assert await files(folder_path="c") == ["c/d.md"]
    assert await files(limit=1) == ["a.txt"]


async def test_a_workspace_that_nobody_wrote_to_is_empty(tmp_path: Path) -> None:
    nothing = Ok({"files": [], "entries": [], "count": 0, "truncated": False})
    assert await do("list_folder_files", tmp_path) == nothing
    assert isinstance(await do("list_folder_files", tmp_path, folder_path="a"), Failed)
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"


@pytest.mark.parametrize("kind", sorted(set(FEATURE.effects) - {"read_artifact"}))
async def test_without_workspaces_that_is_said(kind: str) -> None:
    outcome = await do(kind, None, file_path="a", folder_path="a")
    assert outcome == Failed("not_configured", "runs have no workspace here")
