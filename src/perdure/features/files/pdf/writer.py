"""What writes a PDF: a process of its own, since a long text takes a processor for many seconds.

It is run by its path and imports nothing of the program. It hears its order as one line of JSON, and
says one line of JSON; where that names no fault, the PDF comes after it. The same order has the same
bytes: no time, no chance, and fonts that come with the program.
"""

import json
import os
import struct
import sys
import unicodedata
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MARGIN_MM = 20
LINE_MM = 5.5
TITLE_MM = 8.5
SIZE, TITLE_SIZE = 11, 18
TAB = " " * 4
NOTO = "manimgx_fonts"  # a package that has them as they are published
NO_TIME = datetime(1980, 1, 1, tzinfo=UTC)  # for the file's identity; it is told to nobody
RIGHT_TO_LEFT = frozenset({"R", "AL"})
JOINED = frozenset({"Mn", "Mc"})  # letters that are drawn on or into the one before
NEWLINES = ("\r\n", "\r", "\v", "\x85", "\u2028", "\u2029")


class Fault(Exception):
    """Why there is no PDF: a code, and a sentence that begins with "it"."""


def main() -> None:
    """Do the one order."""
    told, written = _told(json.loads(sys.stdin.buffer.readline()))
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n" + written)
    sys.stdout.buffer.flush()
    os._exit(0)


def _told(order: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    try:
        return {}, _written(order)
    except Fault as fault:
        code, detail = fault.args
    except ImportError:
        code, detail = (
            "not_configured",
            "it cannot be written: what writes PDFs is not installed; pip install 'perdure[pdf]'",
        )
    except MemoryError:
        code, detail = "limit_reached", "it takes more memory to write than is granted"
    return {"fault": code, "detail": detail}, b""


def _written(order: dict[str, Any]) -> bytes:
    import fpdf  # noqa: PLC0415 - a missing library is a fault to report, not a crash
    from fpdf.output import OutputProducer  # noqa: PLC0415

    class Undated(OutputProducer):
        """Says of a PDF when it was made: nothing, since it would be another one each time."""

        def _add_info(self) -> Any:
            info: Any = super()._add_info()
            info.creation_date = None
            return info

    class Paper(fpdf.FPDF):
        """So many pages, and no more."""

        def add_page(self, *given: Any, **named: Any) -> None:
            if self.page >= order["pages"]:
                raise Fault("limit_reached", f"it would have more than {order['pages']} pages")
            super().add_page(*given, **named)

    paper = Paper(format="A4")
    title, text = _plain(order["title"]), _plain(order["text"])
    title = title.replace("\n", " ").replace("\f", " ")
    _fonts(paper, order["fonts"], title + text)
    paper.alias_nb_pages("")  # no word of a text stands for the number of pages
    paper.set_creation_date(NO_TIME)
    paper.set_margin(MARGIN_MM)
    paper.set_auto_page_break(True, MARGIN_MM)
    _drawn(paper, title, text)
    return bytes(paper.output(output_producer_class=Undated))


def _drawn(paper: Any, title: str, text: str) -> None:
    """The title as a heading, and under it the text: a line is a paragraph, a form feed a new page."""
    paper.add_page()
    if title:
        paper.set_title(title)
        paper.set_font("text", size=TITLE_SIZE)
        _paragraph(paper, title, TITLE_MM)
        paper.ln(LINE_MM)
    paper.set_font("text", size=SIZE)
    for number, page in enumerate(text.split("\f")):
        if number:
            paper.add_page()
        for line in page.split("\n"):
            if line.strip():
                _paragraph(paper, line, LINE_MM)
            else:
                paper.ln(LINE_MM)  # which begins no page by itself


def _paragraph(paper: Any, line: str, height: float) -> None:
    """One paragraph, wrapped; letters that join, stack or run from right to left are shaped, which is slow."""
    directions = [unicodedata.bidirectional(letter) for letter in line]
    joins = any(unicodedata.category(letter) in JOINED for letter in line)
    paper.set_text_shaping(joins or not RIGHT_TO_LEFT.isdisjoint(directions))
    first = next((it for it in directions if it in RIGHT_TO_LEFT or it == "L"), "L")
    align = "L" if first == "L" else "R"
    paper.multi_cell(0, height, line, align=align, new_x="LMARGIN", new_y="NEXT")


def _plain(text: str) -> str:
    for newline in NEWLINES:
        text = text.replace(newline, "\n")
    return text.replace("\t", TAB)


def _fonts(paper: Any, files: list[str], text: str) -> None:
    """Take the first font, and of the others those with a letter that the ones before lack.

    Raises `Fault` for a letter that none has: nothing is drawn that says something else.
    """
    missing, taken = set(text) - {"\n", "\f"}, list[str]()
    for number, file in enumerate([*files, *_noto()]):
        if number >= len(files) and not missing:
            break
        known = _letters(file)
        if number == 0 or not missing.isdisjoint(known):
            taken.append(f"more{number}" if number else "text")
            paper.add_font(taken[-1], fname=file)
            missing -= known
    paper.set_fallback_fonts(taken[1:], exact_match=False)
    strange = next((letter for letter in text if letter in missing), None)
    if strange is not None:
        shown = f"{strange!r} (U+{ord(strange):04X}, {unicodedata.name(strange, 'without a name')})"
        raise Fault("letter_missing", f"it cannot be written: no font has the letter {shown}; PERDURE_PDF_FONTS names more fonts")  # fmt: skip


def _letters(file: str) -> set[str]:
    """The letters of a font."""
    from fontTools.ttLib import TTFont, TTLibError  # noqa: PLC0415

    try:
        with TTFont(file, lazy=True) as font:
            return set(map(chr, font.getBestCmap() or ()))
    except (TTLibError, OSError, ValueError, LookupError, AssertionError, struct.error) as broken:
        why = f"it cannot be written: the font {os.path.basename(file)!r} cannot be used"
        raise Fault("not_configured", why) from broken


def _noto() -> list[str]:
    """The fonts of the Noto family that are installed: emoji, and the letters of India, Thailand and others."""
    found = find_spec(NOTO)
    if found is None or found.origin is None:
        return []
    fonts = Path(found.origin).parent.glob("*.ttf")
    return sorted(str(it) for it in fonts if "Italic" not in it.name)


if __name__ == "__main__":
    main()
