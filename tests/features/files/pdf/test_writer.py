"""A text becomes a PDF that says it: letter by letter, page by page, and the same text the same bytes."""

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from pypdf import PdfReader

from perdure.features.files.pdf.pdfs import WRITER, Pdfs, Refusal
from tests.support.pdfs import BOUNDS

pytestmark = pytest.mark.anyio


async def written(text: str, title: str = "", fonts: tuple[Path, ...] = ()) -> PdfReader:
    """The PDF of a text, to be looked at."""
    made = await Pdfs(BOUNDS, fonts).write(text, title)
    assert isinstance(made, bytes), made
    return PdfReader(BytesIO(made))


def texts(pdf: PdfReader) -> list[str]:
    """What each page says."""
    return [page.extract_text() for page in pdf.pages]


def lefts(pdf: PdfReader) -> list[int]:
    """Where the lines of the first page begin, from the left."""
    found: list[int] = []

    def take(text: str, _cm: Any, tm: Any, *_: Any) -> None:
        found.extend([round(tm[4])] if text.strip() else [])

    pdf.pages[0].extract_text(visitor_text=take)
    return found


def a_font(folder: Path, letter: str) -> Path:
    """A TrueType font that has one letter."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((500, 0))
    pen.lineTo((0, 500))
    pen.closePath()
    box, builder = pen.glyph(), FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "letter"])
    builder.setupCharacterMap({ord(letter): "letter"})
    builder.setupGlyf({".notdef": box, "letter": box})
    builder.setupHorizontalMetrics({".notdef": (600, 0), "letter": (600, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "One", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(folder / "one.ttf")
    return folder / "one.ttf"


async def test_the_title_is_a_heading_and_what_the_file_says_of_itself() -> None:
    pdf = await written("text", "A\ntitle é")
    assert texts(pdf) == ["A title é\ntext"]
    assert str(pdf.metadata) == "{'/Title': 'A title é'}", "and no time at all"
    bare = await written("text")
    assert (texts(bare), str(bare.metadata)) == (["text"], "{}")


async def test_lines_are_wrapped_and_long_words_broken_and_nothing_is_lost() -> None:
    prose, word = "word " * 60, "x" * 300
    (page,) = texts(await written(f"{prose}\n{word}"))
    assert len(page.splitlines()) > 4 and max(map(len, page.splitlines())) < 120
    assert page.count("word") == 60 and page.count("x") == 300


async def test_pages_break_where_they_are_full_and_where_the_text_says_so() -> None:
    lines = [f"line {number}" for number in range(120)]
    full = texts(await written("\n".join(lines)))
    assert len(full) == 3 and "\n".join(full).split("\n") == lines
    assert texts(await written("one\ftwo\f\ffour")) == ["one", "two", "", "four"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\u2028"])
async def test_a_line_ends_as_it_does_on_any_system(newline: str) -> None:
    assert texts(await written(f"one{newline}two")) == ["one\ntwo"]


async def test_a_line_keeps_what_it_begins_with() -> None:
    assert texts(await written("a\n    b\n\tc")) == ["a\n    b\n    c"]


async def test_what_means_something_elsewhere_is_text_like_any_other() -> None:
    line = "{nb} {x} **b** __u__ --s-- <b>h</b> \\n (p) % /F"
    assert texts(await written(line, line)) == [f"{line}\n{line}"]


async def test_empty_lines_make_no_page() -> None:
    assert texts(await written("one" + "\n" * 500)) == ["one"]
    assert texts(await written("one" + "\n" * 500 + "two")) == ["one", "two"]
    assert texts(await written("")) == [""]


@pytest.mark.parametrize(
    "line",
    [
        "Ελληνικά, Русский",
        "a → b ≥ c ✓ ☑ 😀",
        "„“–…€™½",
        "e\u0301",
        "✅ ❌ 🚀 💡",
        "नमस्ते",
        "ภาษาไทย",
    ],
)
async def test_letters_of_many_scripts_come_back_as_they_were(line: str) -> None:
    assert texts(await written(line)) == [line]


async def test_what_runs_from_right_to_left_is_shaped_and_begins_on_the_right() -> None:
    assert texts(await written("שלום עולם\nمرحبا بالعالم")) == ["שלום עולם\nمرحبا بالعالم"]
    left, right = lefts(await written("a\nשלום"))
    assert right > left + 300


async def test_a_letter_that_no_font_has_is_a_fault_that_names_it(tmp_path: Path) -> None:
    for text, title in (("a 中 b", ""), ("", "a 中 b")):
        refused = await Pdfs(BOUNDS).write(text, title)
        assert isinstance(refused, Refusal) and refused.code == "letter_missing"
        assert "'中' (U+4E2D, CJK UNIFIED IDEOGRAPH-4E2D)" in refused.detail
        assert "PERDURE_PDF_FONTS" in refused.detail
    assert texts(await written("a 中 b", fonts=(a_font(tmp_path, "中"),))) == ["a 中 b"]


async def test_a_letter_that_stands_for_nothing_is_no_letter() -> None:
    refused = await Pdfs(BOUNDS).write("a\x07", "")
    assert isinstance(refused, Refusal) and refused.code == "letter_missing"
    assert "U+0007" in refused.detail


async def test_a_font_that_is_none_is_told_by_its_name(tmp_path: Path) -> None:
    for name, content in (("broken.ttf", b"no font"), ("empty.ttf", b"")):
        (tmp_path / name).write_bytes(content)
        refused = await Pdfs(BOUNDS, [tmp_path / name]).write("a", "")
        assert isinstance(refused, Refusal) and refused.code == "not_configured"
        assert f"the font '{name}'" in refused.detail and str(tmp_path) not in refused.detail


async def test_the_same_text_has_the_same_bytes_in_every_process() -> None:
    text = "Ελληνικά → 😀\nשלום עולם\n" + "word " * 1_000
    first, *others = [await Pdfs(BOUNDS).write(text, "A title") for _ in range(3)]
    assert isinstance(first, bytes) and all(it == first for it in others)
    assert b"Date" not in first
    assert await Pdfs(BOUNDS).write(text + "!", "A title") != first


async def test_where_what_writes_is_not_installed_it_says_how_to() -> None:
    bare = [sys.executable, "-I", "-S", str(WRITER)]
    told = (await anyio.run_process(bare, input=b"{}\n")).stdout  # raises where it failed
    assert b"not_configured" in told and b"pip install 'perdure[pdf]'" in told
