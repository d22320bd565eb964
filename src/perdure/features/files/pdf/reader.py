"""What reads a PDF: a process of its own, since a PDF is made by anybody and may be made to do harm.

It is run by its path and imports nothing of the program. It hears its order as one line of JSON and
after it the PDF, and says one line of JSON: what it read, or the fault of what it was given.
"""

import json
import logging
import os
import struct
import sys
import zlib
from datetime import datetime
from io import BytesIO
from typing import Any

HEAD_BYTES = 1024  # within which a PDF says that it is one
FACT_LETTERS_MAX = 1_000  # of one thing that a PDF says of itself
WARNING_LETTERS_MAX = 200
WARNINGS_MAX = 20
GAP = "\n\n"  # between two pages
# What Python raises under a library that reads what is not as it should be.
BROKEN = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, OSError, RuntimeError,
    TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip
FACTS = {
    "title": "title", "author": "author", "subject": "subject", "keywords": "keywords", "creator": "creator",
    "producer": "producer", "created": "creation_date", "modified": "modification_date",
}  # fmt: skip


class Fault(Exception):
    """Why there is nothing to tell: a code, and a sentence that begins with "it"."""


class Enough(BaseException):
    """There is more text than may be told. No library takes it for an error of the PDF."""


def main() -> None:
    """Do the one order."""
    line, _, content = sys.stdin.buffer.read().partition(b"\n")
    sys.stdout.buffer.write(json.dumps(_told(json.loads(line), content)).encode())
    sys.stdout.buffer.flush()
    os._exit(0)


def _told(order: dict[str, Any], content: bytes) -> dict[str, Any]:
    try:
        return {"read": _Reading(content).read(order)}
    except Fault as fault:
        code, detail = fault.args
    except ImportError:
        code, detail = (
            "not_configured",
            "it cannot be read: what reads PDFs is not installed; pip install 'perdure[pdf]'",
        )
    except MemoryError:
        code, detail = "limit_reached", "it takes more memory to read than is granted"
    return {"fault": code, "detail": detail}


class _Reading:
    """One PDF that is being read. Raises `Fault` where it cannot be."""

    def __init__(self, content: bytes) -> None:
        import pypdf  # noqa: PLC0415 - a missing library is a fault to report, not a crash
        from pypdf import errors  # noqa: PLC0415

        self._over = errors.LimitReachedError
        self._broken = (errors.PyPdfError, errors.DependencyError, *BROKEN)
        self.noted = _Noted()
        logging.getLogger("pypdf").addHandler(self.noted)
        if b"%PDF-" not in content[:HEAD_BYTES]:
            raise Fault("not_pdf", "it is no PDF")
        try:
            self._reader = pypdf.PdfReader(BytesIO(content))
            # Many are encrypted with no password, only to forbid what a reader does not do.
            closed = self._reader.is_encrypted and not self._reader.decrypt("")
            self._count = 0 if closed else len(self._reader.pages)
        except self._broken as broken:
            raise self._fault(broken) from broken
        if closed:
            raise Fault("pdf_encrypted", "it needs a password")
        if not self._count:
            raise Fault("pdf_damaged", "it has no page")

    def read(self, order: dict[str, Any]) -> dict[str, Any]:
        """The text of the pages that are wished for, up to the bounds of the order."""
        first, wished_last = order["first"] or 1, order["last"] or self._count
        last = min(wished_last, self._count)
        if first > last:
            raise Fault("invalid_request", f"it has {self._count} pages, and no page {first}")
        stop = min(last, first + order["pages"] - 1)
        told, cut = self._texts(range(first, stop + 1), order["letters"])
        if wished_last > self._count and order["last"]:
            self.noted.first(f"it has {self._count} pages, and no page {wished_last}")
        if stop < last and not cut:
            self.noted.first(f"more than {order['pages']} pages are asked for; go on from page {stop + 1}")  # fmt: skip
        return {
            "content": GAP.join(told),
            "pages": self._count,
            "processed_pages": len(told),
            "metadata": self._metadata(),
            "warnings": self.noted.kept,
            "truncated": cut or stop < last,
        }

    def _texts(self, pages: range, room: int) -> tuple[list[str], bool]:
        """The texts of pages, and whether there is no room for all of them."""
        told: list[str] = []
        bare: list[int] = []
        failed: BaseException | None = None
        for number in pages:
            if told and room <= len(GAP):
                self.noted.first(f"the text is cut before page {number}")
                return told, True
            room -= len(GAP) if told else 0
            text, whole = "", True
            try:
                text, whole = self._text(number, room)
            except self._broken as broken:
                failed = broken
                self.noted.first(f"page {number} cannot be read: {_said(broken)}")
            else:
                bare += [] if text.strip() else [number]
            told.append(text)
            room -= len(text)
            if not whole:
                self.noted.first(f"the text is cut on page {number}")
                return told, True
        if failed is not None and not any(told):
            raise self._fault(failed) from failed
        if bare:
            self.noted.first(f"no text, and perhaps pictures, on page {_listed(bare)}")
        return told, False

    def _text(self, number: int, room: int) -> tuple[str, bool]:
        """The text of one page as it is made, and whether that is all of it."""
        pieces: list[str] = []
        length = 0

        def take(piece: str, *_: Any) -> None:
            nonlocal length
            length += len(piece)
            pieces.append(piece)
            if length > room:
                raise Enough

        try:
            text = _clean(self._reader.pages[number - 1].extract_text(visitor_text=take))
        except Enough:
            return _clean("".join(pieces))[:room], False
        return text[:room], len(text) <= room

    def _metadata(self) -> dict[str, str]:
        """What it says of itself; what cannot be read of that is left out."""
        said: dict[str, str] = {}
        for name in FACTS:
            try:
                fact: Any = getattr(self._reader.metadata, FACTS[name], None)
                told = fact.isoformat() if isinstance(fact, datetime) else str(fact or "")
            except self._broken as broken:
                self.noted.first(f"its {name} cannot be read: {_said(broken)}")
            else:
                said |= {name: _clean(told)[:FACT_LETTERS_MAX]} if told else {}
        return said

    def _fault(self, broken: BaseException) -> Fault:
        if isinstance(broken, self._over):
            return Fault("limit_reached", f"it is too large inside: {_said(broken)}")
        return Fault("pdf_damaged", f"it is damaged: {_said(broken)}")


class _Noted(logging.Handler):
    """What there is to warn of, up to so many sentences: ours before those of the library."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kept: list[str] = []

    def first(self, warning: str) -> None:
        """Put a sentence of ours at the front."""
        self.kept.insert(0, warning[:WARNING_LETTERS_MAX])
        del self.kept[WARNINGS_MAX:]

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a sentence of the library, once."""
        warning = _clean(record.getMessage())[:WARNING_LETTERS_MAX]
        if len(self.kept) < WARNINGS_MAX and warning not in self.kept:
            self.kept.append(warning)


def _clean(text: str) -> str:
    """A text that every reader of JSON takes: no NUL, and no half of a letter."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\x00", "")


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {_clean(str(error))}"[:WARNING_LETTERS_MAX]


def _listed(pages: list[int]) -> str:
    return ", ".join(map(str, pages[:10])) + ("…" if len(pages) > 10 else "")


if __name__ == "__main__":
    main()
