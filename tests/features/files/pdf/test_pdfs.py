"""A PDF is read and written within its bounds, in its turn, and by a process that ends with whoever asked."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from perdure.features.files.pdf import pdfs
from perdure.features.files.pdf.bounds import MIB, PdfBounds
from perdure.features.files.pdf.pdfs import Pages, Pdfs, Refusal
from perdure.features.files.workspace import FILE_BYTES_MAX, NotThere, Workspace
from perdure.runtimes.children import asked
from tests.features.code.sandbox.test_sandbox import processes
from tests.support.pdfs import BOUNDS, a_pdf, read, says

pytestmark = pytest.mark.anyio
THREE = a_pdf(says("one"), says("two"), says("three"))


async def write(text: str, bounds: PdfBounds, title: str = "") -> Any:
    """What comes of writing a text within bounds."""
    return await Pdfs(bounds).write(text, title)


def over(came: Any, why: str) -> bool:
    """Whether a bound was reached, and this one."""
    return isinstance(came, Refusal) and came.code == "limit_reached" and why in came.detail


async def test_a_file_is_as_long_as_one_of_the_workspace_may_be() -> None:
    frame = len(a_pdf(says("one"), more=[b"<</Length 0>>stream\n\nendstream"])) + 100
    filled = a_pdf(says("one"), more=[b"<</Length 1>>stream\n%b\nendstream" % (b"x" * (FILE_BYTES_MAX - frame))])  # fmt: skip
    assert len(filled) <= FILE_BYTES_MAX and (await read(filled))["content"] == "one"


async def test_one_that_is_longer_is_not_even_given_to_a_process(tmp_path: Path) -> None:
    class Long(Workspace):
        def read(self, path: str) -> bytes:
            """Say what the workspace says."""
            raise NotThere(f"{path!r} has more than {FILE_BYTES_MAX} bytes")

    before = processes()
    with pytest.raises(NotThere, match="has more than"):
        await Pdfs(BOUNDS).read(Long(tmp_path), "a.pdf", Pages())
    assert processes() == before


async def test_pages_are_read_up_to_the_bound_and_the_next_is_named() -> None:
    assert not (await read(THREE, bounds=replace(BOUNDS, pages_read=3)))["truncated"]
    told = await read(THREE, bounds=replace(BOUNDS, pages_read=2))
    assert (told["content"], told["processed_pages"], told["truncated"]) == ("one\n\ntwo", 2, True)
    assert told["warnings"] == ["more than 2 pages are asked for; go on from page 3"]
    assert (await read(THREE, Pages(3), replace(BOUNDS, pages_read=2)))["content"] == "three"


async def test_letters_are_read_up_to_the_bound_whoever_asks_for_more() -> None:
    bounds = replace(BOUNDS, letters_read=8)
    assert (await read(THREE, Pages(1, 2), bounds))["truncated"] is False
    assert (await read(THREE, Pages(letters=99), bounds))["content"] == "one\n\ntwo"
    assert (await read(THREE, Pages(letters=2), bounds))["content"] == "on"


async def test_time_of_a_processor_is_granted_up_to_the_bound() -> None:
    assert (await read(THREE, bounds=replace(BOUNDS, cpu_s=5)))["pages"] == 3
    many = a_pdf(*[b"BT /F 12 Tf " + b"1 0 0 1 5 5 Tm (a) Tj " * 50_000] * 20)
    assert over(await read(many, bounds=replace(BOUNDS, cpu_s=1)), "more than 1 s of a processor")
    assert over(await write("word " * 80_000, replace(BOUNDS, cpu_s=1)), "more than 1 s of a processor")  # fmt: skip


async def test_time_is_granted_up_to_the_bound() -> None:
    before = processes()
    assert over(await read(THREE, bounds=replace(BOUNDS, time_s=0.01)), "longer than 0.01 s")
    assert over(await write("a", replace(BOUNDS, time_s=0.01)), "longer than 0.01 s")
    assert processes() == before
    assert (await read(THREE, bounds=replace(BOUNDS, time_s=60.0)))["pages"] == 3


async def test_memory_is_granted_up_to_the_bound() -> None:
    large, narrow = a_pdf(says("one") + b"\n" * 8_000_000), replace(BOUNDS, memory_bytes=64 * MIB)
    assert (await read(large))["content"] == "one"
    assert over(await read(large, bounds=narrow), "memory")
    assert (await read(THREE, bounds=narrow))["pages"] == 3
    assert over(await write("a", narrow), "memory")


async def test_what_is_written_is_bounded_on_both_sides() -> None:
    bounds = replace(BOUNDS, letters_written=5, title_letters=3, pages_written=2)
    assert isinstance(await write("a\fbcd", bounds, "abc"), bytes)
    assert over(await write("abcdef", bounds), "its text has more than 5 letters")
    assert over(await write("", bounds, "abcd"), "its title has more than 3 letters")
    assert over(await write("a\fb\fc", bounds), "more than 2 pages")


@pytest.mark.parametrize(
    ("source", "codes"),
    [
        ("raise SystemExit(1)", ("pdf_damaged", "pdf_failed")),
        ("import os\nos.kill(os.getpid(), 11)", ("pdf_damaged", "pdf_failed")),
        ("import os\nos.kill(os.getpid(), 9)", ("pdf_killed", "pdf_killed")),
    ],
)
async def test_a_process_that_dies_is_the_fault_of_the_pdf_and_one_that_is_killed_is_not(
    source: str, codes: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "script.py"
    script.write_text(source)
    monkeypatch.setattr(pdfs, "READER", script)
    monkeypatch.setattr(pdfs, "WRITER", script)
    refused, failed = await read(THREE), await write("a", BOUNDS)
    assert isinstance(refused, Refusal) and isinstance(failed, Refusal)
    assert (refused.code, failed.code) == codes
    assert refused.again is failed.again is (codes[0] == "pdf_killed")


async def test_so_many_are_read_at_once_and_the_others_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, most = 0, 0

    async def counted(*given: Any, **named: Any) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        heard = await asked(*given, **named)
        under_way -= 1
        return heard

    monkeypatch.setattr(pdfs, "asked", counted)
    several = Pdfs(replace(BOUNDS, at_once=2))
    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(several.write, "a", "", str(number))
    assert most == 2


async def test_whoever_is_cancelled_leaves_no_process_behind() -> None:
    before = processes()
    slow = a_pdf(*[b"BT /F 12 Tf " + b"1 0 0 1 5 5 Tm (a) Tj " * 50_000] * 60)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(read, slow)
            while not processes() - before:
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()
        while processes() - before:
            await anyio.sleep(0.01)
