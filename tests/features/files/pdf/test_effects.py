"""The effects on PDFs: what they answer, whose files they reach, and which faults the nodes have."""

from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from perdure.features.files.pdf import pdfs
from perdure.features.files.pdf.effects import COUNT_MAX, pdf_kinds
from perdure.features.files.pdf.pdfs import Pdfs
from perdure.features.files.workspace import FILE_BYTES_MAX, Workspace
from perdure.ids import Key, RunId, StepId
from perdure.kernel.model import Effect, Failed, Ok, Outcome
from perdure.registry.effects import EffectContext
from tests.support.builders import a_birth
from tests.support.clock import FakeClock
from tests.support.pdfs import BOUNDS, a_pdf, says

pytestmark = pytest.mark.anyio
RUN = a_birth()
OTHER = replace(RUN, id=RunId("other"), root_id=RunId("other"))


async def do(kind: str, folder: Path | None, run: Any = RUN, **payload: Any) -> Outcome:
    """Perform one effect for a run."""
    context = EffectContext(
        run=run, step_id=StepId("s"), key=Key("k"), attempt=1, clock=FakeClock(), http=cast(Any, None),
        plane=cast(Any, None), publish=lambda delta: None, workspaces=folder,
    )  # fmt: skip
    return await pdf_kinds(Pdfs(BOUNDS))[kind].handle(Effect(kind, payload, "0", "node"), context)


def put(folder: Path, content: bytes) -> None:
    """Put a PDF into the workspace of the run."""
    Workspace(folder / RUN.root_id).write("a.pdf", content)


async def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    written = await do("write_pdf", tmp_path, file_path="b/a.pdf", content="é →", title="T")
    assert isinstance(written, Ok)
    content = Workspace(tmp_path / RUN.root_id).read("b/a.pdf")
    assert written.result == {
        "bytes": len(content), "sha256": sha256(content).hexdigest(), "file_path": "b/a.pdf",
        "content_type": "application/pdf",
    }  # fmt: skip
    assert await do("read_pdf", tmp_path, file_path="b/a.pdf", page_end=1.0, max_chars=4) == Ok(
        {
            "content": "T\né ", "pages": 1, "processed_pages": 1, "metadata": {"title": "T"},
            "warnings": ["the text is cut on page 1"], "truncated": True, "file_path": "b/a.pdf",
        }
    )  # fmt: skip


async def test_what_is_no_text_is_written_as_json(tmp_path: Path) -> None:
    await do("write_pdf", tmp_path, file_path="a.pdf", content={"k": ["é"]}, title=7)
    read = await do("read_pdf", tmp_path, file_path="a.pdf")
    assert isinstance(read, Ok)
    assert read.result["content"] == '7\n{\n  "k": [\n    "é"\n  ]\n}'


async def test_the_same_again_is_the_same(tmp_path: Path) -> None:
    first, again = [
        await do("write_pdf", tmp_path, file_path="a.pdf", content="x") for _ in range(2)
    ]
    assert isinstance(first, Ok) and again == first


async def test_no_other_run_has_it(tmp_path: Path) -> None:
    put(tmp_path, a_pdf(says("mine")))
    assert isinstance(await do("read_pdf", tmp_path, file_path="a.pdf"), Ok)
    other = await do("read_pdf", tmp_path, OTHER, file_path="a.pdf")
    assert other == Failed("not_found", "there is no 'a.pdf' in the workspace")


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "", None, 7, ["a"]])
@pytest.mark.parametrize("kind", ["read_pdf", "write_pdf"])
async def test_a_path_that_leads_out_or_nowhere_is_refused(
    kind: str, tmp_path: Path, path: Any
) -> None:
    outcome = await do(kind, tmp_path, file_path=path, content="x")
    assert isinstance(outcome, Failed) and outcome.code == "not_found"


@pytest.mark.parametrize(
    ("content", "code", "detail"),
    [
        (b"hello", "not_pdf", "'a.pdf': it is no PDF"),
        (b"%PDF-1.7", "pdf_damaged", "'a.pdf': it is damaged: "),
        (b"x" * FILE_BYTES_MAX, "not_pdf", "'a.pdf': it is no PDF"),
    ],
)
async def test_what_cannot_be_read_is_a_fault_that_names_the_file(
    content: bytes, code: str, detail: str, tmp_path: Path
) -> None:
    put(tmp_path, content)
    failed = await do("read_pdf", tmp_path, file_path="a.pdf")
    assert isinstance(failed, Failed) and not failed.retryable
    assert failed.code == code and failed.detail.startswith(detail)


async def test_a_file_that_is_too_long_is_a_fault(tmp_path: Path) -> None:
    put(tmp_path, b"x")
    (tmp_path / RUN.root_id / "a.pdf").write_bytes(b"x" * (FILE_BYTES_MAX + 1))
    failed = await do("read_pdf", tmp_path, file_path="a.pdf")
    assert failed == Failed("not_found", f"'a.pdf' has more than {FILE_BYTES_MAX} bytes")


async def test_a_process_that_the_system_killed_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "script.py"
    script.write_text("import os\nos.kill(os.getpid(), 9)")
    monkeypatch.setattr(pdfs, "READER", script)
    put(tmp_path, a_pdf(says("one")))
    failed = await do("read_pdf", tmp_path, file_path="a.pdf")
    assert isinstance(failed, Failed) and failed.retryable and failed.code == "pdf_killed"
    assert pdf_kinds(Pdfs(BOUNDS))["read_pdf"].attempts_max == 2


async def test_what_cannot_be_written_is_a_fault_and_what_was_there_stays(tmp_path: Path) -> None:
    await do("write_pdf", tmp_path, file_path="a.pdf", content="x")
    before = Workspace(tmp_path / RUN.root_id).read("a.pdf")
    failed = await do("write_pdf", tmp_path, file_path="a.pdf", content="中")
    assert isinstance(failed, Failed) and failed.code == "letter_missing"
    assert failed.detail.startswith("'a.pdf': it cannot be written")
    assert Workspace(tmp_path / RUN.root_id).read("a.pdf") == before


@pytest.mark.parametrize("name", ["page_start", "page_end", "max_chars"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "1", True, [1], COUNT_MAX + 1])
async def test_what_is_no_number_of_a_page_is_refused(
    name: str, value: Any, tmp_path: Path
) -> None:
    put(tmp_path, a_pdf(says("one")))
    refused = await do("read_pdf", tmp_path, file_path="a.pdf", **{name: value})
    told = f"{name} is to be a whole number from 1 to {COUNT_MAX}"
    assert refused == Failed("invalid_request", told)


async def test_pages_are_asked_for_in_their_order(tmp_path: Path) -> None:
    put(tmp_path, a_pdf(says("one"), says("two")))
    refused = await do("read_pdf", tmp_path, file_path="a.pdf", page_start=2, page_end=1)
    assert refused == Failed("invalid_request", "page_start 2 comes after page_end 1")
    gone = await do("read_pdf", tmp_path, file_path="a.pdf", page_start=3)
    assert gone == Failed("invalid_request", "'a.pdf': it has 2 pages, and no page 3")
    last = await do("read_pdf", tmp_path, file_path="a.pdf", page_start=2, page_end=COUNT_MAX)
    assert isinstance(last, Ok) and last.result["content"] == "two"
