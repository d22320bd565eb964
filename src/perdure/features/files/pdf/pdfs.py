"""The gateway's side of PDFs: each is read or written by a process of its own, in its turn, within bounds."""

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import anyio
import orjson

from perdure.features.files.pdf.bounds import PdfBounds
from perdure.features.files.workspace import Workspace
from perdure.kernel.values import Json
from perdure.runtimes.children import Heard, Limits, asked, bound
from perdure.runtimes.turns import Turns

HERE: Final = Path(__file__).parent
READER: Final = HERE / "reader.py"
WRITER: Final = HERE / "writer.py"
FONT: Final = HERE / "DejaVuSans.ttf"
FACTS_BYTES_MAX: Final = 256 * 1024  # of what is told beside a text
LETTER_BYTES_MAX: Final = 12  # of one letter as JSON: two escapes
PDF_BYTES_MAX: Final = 64 * 1024 * 1024  # a longer one is no file of a workspace either


class Refusal(NamedTuple):
    """A PDF was not read, or not written: a code, and a sentence that begins with "it"."""

    code: str
    detail: str
    again: bool = False  # whether a later try may succeed


class Pages(NamedTuple):
    """Which pages are to be read, from 1 on and both included, and how many letters are to be told."""

    first: int | None = None
    last: int | None = None
    letters: int | None = None


class Pdfs:
    """Reads and writes PDFs, so many at once; the others wait by turns. Making one starts nothing."""

    def __init__(self, bounds: PdfBounds, fonts: Sequence[Path] = ()) -> None:
        """Keep each within `bounds`; `fonts` have the letters that the program's own font lacks."""
        self.bounds = bounds
        self._fonts = [str(it) for it in (FONT, *fonts)]
        self._limits = Limits(bounds.cpu_s, bounds.memory_bytes)
        self._turns = Turns(bounds.at_once)

    async def read(
        self, workspace: Workspace, path: str, pages: Pages, who: str = ""
    ) -> Json | Refusal:
        """What a PDF of the workspace says, for `who` in their turn. Raises `NotThere` where there is no such file."""
        bounds = self.bounds
        letters = min(pages.letters or bounds.letters_read, bounds.letters_read)
        order = orjson.dumps({"first": pages.first, "last": pages.last, "pages": bounds.pages_read, "letters": letters})  # fmt: skip
        async with self._turns.one(who):  # files wait on the disk, not in memory
            content = await anyio.to_thread.run_sync(workspace.read, path)
            most = letters * LETTER_BYTES_MAX + FACTS_BYTES_MAX
            told = self._told(
                await self._heard(READER, order + b"\n" + content, most), "pdf_damaged"
            )
        return told if isinstance(told, Refusal) else orjson.loads(told)["read"]

    async def write(self, text: str, title: str, who: str = "") -> bytes | Refusal:
        """The PDF of a text, for `who` in their turn; of the same text the same bytes."""
        bounds = self.bounds
        for said, most, what in ((text, bounds.letters_written, "its text"), (title, bounds.title_letters, "its title")):  # fmt: skip
            if len(said) > most:
                return Refusal("limit_reached", f"{what} has more than {most} letters")
        order = orjson.dumps({"text": text, "title": title, "fonts": self._fonts, "pages": bounds.pages_written})  # fmt: skip
        async with self._turns.one(who):
            told = self._told(await self._heard(WRITER, order + b"\n", PDF_BYTES_MAX), "pdf_failed")
        return told if isinstance(told, Refusal) else told.partition(b"\n")[2]

    async def _heard(self, script: Path, order: bytes, most: int) -> Heard:
        return await asked(
            bound(script, self._limits), order, time_s=self.bounds.time_s, said_bytes_max=most
        )

    def _told(self, heard: Heard, died: str) -> bytes | Refusal:
        """What a process said that came to its end, or why there is nothing."""
        if heard.status is None:
            return Refusal("limit_reached", f"it takes longer than {self.bounds.time_s:g} s")
        if heard.status == -signal.SIGXCPU:
            return Refusal(
                "limit_reached", f"it takes more than {self.bounds.cpu_s} s of a processor"
            )
        if (
            heard.status == -signal.SIGKILL
        ):  # by the system, for want of memory: it may have it again
            return Refusal("pdf_killed", "it cannot be handled: its process was killed", again=True)
        if heard.status:
            return Refusal(died, f"it cannot be handled: its process ended with {heard.status}")
        report = orjson.loads(heard.said.partition(b"\n")[0])
        return Refusal(report["fault"], report["detail"]) if "fault" in report else heard.said
