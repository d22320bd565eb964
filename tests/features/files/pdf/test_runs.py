"""Flows with PDFs, run whole: what was written is read, a fault ends the run as one of a node, a cancel ends the child."""

from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest

from perdure.features.files.feature import files_feature
from perdure.features.files.pdf import pdfs
from perdure.features.files.pdf.pdfs import Pdfs
from tests.features.code.sandbox.test_sandbox import processes
from tests.support.drawing import a_bundle, a_flow, a_node, a_start, an_end
from tests.support.gateway import FEATURES, Gateway, Options, a_gateway
from tests.support.pdfs import BOUNDS
from tests.support.planes import DATABASES

pytestmark = pytest.mark.anyio
PATIENCE_S = 30.0
WRITTEN = "One → two.\n\nשלום"


@pytest.fixture(params=DATABASES)
async def gateway(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Gateway]:
    """A gateway with a flow that writes a PDF and reads it, and one that reads what is not there."""
    write = a_node("write_pdf", "file_path content title", out="bytes sha256 content_type")
    read = a_node("read_pdf", "file_path page_start", out="content pages metadata truncated")
    there = a_flow(
        {"start": a_start(path="b/a.pdf", text=WRITTEN, title="A title"), "write": write, "read": read,
         "end": an_end("content", "pages", "metadata", "content_type")},
        "start -> write -> read -> end", "start.path => write.file_path", "start.text => write.content",
        "start.title => write.title", "start.path => read.file_path", "read.content => end.content",
        "read.pages => end.pages", "read.metadata => end.metadata", "write.content_type => end.content_type",
        id="there",
    )  # fmt: skip
    gone = a_flow(
        {"start": a_start(path="gone.pdf"), "read": read, "end": an_end("content")},
        "start -> read -> end", "start.path => read.file_path", "read.content => end.content", id="gone",
    )  # fmt: skip
    options = Options(features=(*FEATURES, files_feature(Pdfs(BOUNDS))), database=request.param)
    async with a_gateway(tmp_path, options) as gateway:
        await gateway.install(a_bundle(there, gone))
        yield gateway


async def test_what_a_flow_writes_it_reads(gateway: Gateway) -> None:
    run_id = await gateway.start("there")
    output = (await gateway.until(run_id, "completed", "failed"))["output"]
    assert output["success"] is True and output["content_type"] == "application/pdf"
    assert (output["pages"], output["metadata"]) == (1, {"title": "A title"})
    assert output["content"].split() == ["A", "title", *WRITTEN.split()]


async def test_a_pdf_that_is_not_there_is_a_fault_of_the_node(gateway: Gateway) -> None:
    run_id = await gateway.start("gone")
    ended = await gateway.until(run_id, "completed", "failed")
    assert ended["status"] == "completed"
    assert (ended["output"]["success"], ended["output"]["node"]) == (False, "read")
    assert "there is no 'gone.pdf' in the workspace" in ended["output"]["error"]


async def test_a_cancel_ends_the_process_that_reads(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = tmp_path / "endless.py"
    endless.write_text("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass")  # fmt: skip
    monkeypatch.setattr(pdfs, "READER", endless)
    before = processes()
    run_id = await gateway.start("there")
    with anyio.fail_after(PATIENCE_S):
        while not any("endless" in command_of(pid) for pid in processes() - before):
            await anyio.sleep(0.01)
        await gateway.command(run_id, "cancel", payload={})
        await gateway.until(run_id, "cancelled")
        while any("endless" in command_of(pid) for pid in processes() - before):
            await anyio.sleep(0.01)


def command_of(pid: int) -> str:
    """What a process was started as."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""
