"""The effects on PDFs of a workspace: the text of one read, and a text written as one."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import anyio

from perdure.features.files.effects import NOT_FOUND, bytes_of, no_workspace, path_of, workspace_of
from perdure.features.files.pdf.pdfs import Pages, Pdfs, Refusal
from perdure.features.files.workspace import NotThere
from perdure.kernel.model import Effect, Failed, Ok, Outcome
from perdure.kernel.values import Json
from perdure.registry.effects import EffectContext, EffectHandler, EffectKind

CONTENT_TYPE: Final = "application/pdf"
COUNT_MAX: Final = 1_000_000_000
WAIT_S: Final = 3_600.0  # for a turn as well; how long one PDF may take is bounded in its process


def pdf_kinds(pdfs: Pdfs) -> Mapping[str, EffectKind]:
    """How PDFs are read and written by `pdfs`. Either comes to the same again; a killed process is tried once more."""
    return {
        "read_pdf": EffectKind(_reads(pdfs), timeout_s=WAIT_S, attempts_max=2),
        "write_pdf": EffectKind(_writes(pdfs), timeout_s=WAIT_S, attempts_max=2),
    }


def _reads(pdfs: Pdfs) -> EffectHandler:
    async def read_pdf(effect: Effect, context: EffectContext) -> Outcome:
        workspace, path = workspace_of(context), path_of(effect.payload, "file_path")
        if workspace is None:
            return no_workspace()
        pages = _pages(effect.payload)
        if isinstance(pages, Failed):
            return pages
        try:
            read = await pdfs.read(workspace, path, pages, str(context.workspaces))
        except NotThere as gone:
            return Failed(NOT_FOUND, str(gone))
        return _failed(path, read) if isinstance(read, Refusal) else Ok({**read, "file_path": path})

    return read_pdf


def _writes(pdfs: Pdfs) -> EffectHandler:
    async def write_pdf(effect: Effect, context: EffectContext) -> Outcome:
        workspace, path = workspace_of(context), path_of(effect.payload, "file_path")
        if workspace is None:
            return no_workspace()
        title, text = (bytes_of(effect.payload.get(name)).decode() for name in ("title", "content"))
        try:
            written = await pdfs.write(text, title, str(context.workspaces))
            if isinstance(written, Refusal):
                return _failed(path, written)
            await anyio.to_thread.run_sync(workspace.write, path, written)
        except NotThere as refused:
            return Failed(NOT_FOUND, str(refused))
        return Ok(
            {
                "bytes": len(written),
                "sha256": sha256(written).hexdigest(),
                "file_path": path,
                "content_type": CONTENT_TYPE,
            }
        )

    return write_pdf


def _pages(payload: Mapping[str, Json]) -> Pages | Failed:
    """Which pages the payload asks for; what is not said is not bounded by it."""
    said = {name: payload.get(name) for name in ("page_start", "page_end", "max_chars")}
    for name, value in said.items():
        if value is not None and not _counts(value):
            return Failed(
                "invalid_request", f"{name} is to be a whole number from 1 to {COUNT_MAX}"
            )
    first, last, letters = (None if it is None else int(it) for it in said.values())
    if first is not None and last is not None and first > last:
        return Failed("invalid_request", f"page_start {first} comes after page_end {last}")
    return Pages(first, last, letters)


def _counts(value: Json) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 1 <= value <= COUNT_MAX and value == int(value)


def _failed(path: str, refusal: Refusal) -> Failed:
    return Failed(refusal.code, f"{path[:80]!r}: {refusal.detail}", retryable=refusal.again)
