"""What a PDF says is read, page by page; whatever it was made to do, the answer is its text or its fault."""

import sys
import zlib
from io import BytesIO
from random import Random

import anyio
import pytest
from pypdf import PdfReader, PdfWriter

from perdure.features.files.pdf.pdfs import READER, Pages, Refusal
from tests.support.pdfs import CATALOG, FONT, a_file, a_pdf, a_stream, a_tree, read, says

pytestmark = pytest.mark.anyio
THREE = a_pdf(says("one"), says("two"), says("three"))
FORM = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>"
TREE = b"<</Type/Pages/Count 1/Kids[3 0 R]>>"
PAGE = b"<</Type/Page/MediaBox[0 0 9 9]%b>>"


def locked(content: bytes, password: str, algorithm: str) -> bytes:
    """The PDF, encrypted."""
    writer, made = PdfWriter(clone_from=PdfReader(BytesIO(content))), BytesIO()
    writer.encrypt(password, "the owner's", algorithm=algorithm)
    writer.write(made)
    return made.getvalue()


async def test_all_of_it_is_read_where_nothing_else_is_asked_for() -> None:
    assert await read(THREE) == {
        "content": "one\n\ntwo\n\nthree", "pages": 3, "processed_pages": 3, "metadata": {},
        "warnings": [], "truncated": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pages", "content"),
    [
        (Pages(2), "two\n\nthree"),
        (Pages(None, 2), "one\n\ntwo"),
        (Pages(2, 2), "two"),
        (Pages(3, 3), "three"),
    ],
)
async def test_pages_count_from_one_and_both_ends_are_read(pages: Pages, content: str) -> None:
    told = await read(THREE, pages)
    assert (told["content"], told["pages"]) == (content, 3)
    assert (told["warnings"], told["truncated"]) == ([], False)


async def test_a_page_that_is_not_there_is_a_fault_at_the_start_and_a_warning_at_the_end() -> None:
    gone = await read(THREE, Pages(4))
    assert gone == Refusal("invalid_request", "it has 3 pages, and no page 4")
    told = await read(THREE, Pages(3, 9))
    assert told["warnings"] == ["it has 3 pages, and no page 9"]
    assert (told["content"], told["truncated"]) == ("three", False)


@pytest.mark.parametrize(
    ("letters", "content", "warning"),
    [
        (1, "o", "the text is cut on page 1"),
        (3, "one", "the text is cut before page 2"),
        (5, "one", "the text is cut before page 2"),
        (6, "one\n\nt", "the text is cut on page 2"),
        (14, "one\n\ntwo\n\nthre", "the text is cut on page 3"),
        (15, "one\n\ntwo\n\nthree", None),
    ],
)
async def test_letters_are_told_up_to_those_asked_for(
    letters: int, content: str, warning: str | None
) -> None:
    told = await read(THREE, Pages(letters=letters))
    assert (told["content"], told["truncated"]) == (content, warning is not None)
    assert told["warnings"] == ([warning] if warning else [])
    assert told["processed_pages"] == content.count("\n\n") + 1


async def test_what_it_says_of_itself_is_told_and_cut() -> None:
    info = b"<</Title(A title)/Author(%b)/CreationDate(D:20260102030405Z)/ModDate(soon)>>" % (b"x" * 2_000)  # fmt: skip
    told = await read(a_pdf(says("one"), more=[info], trailer=b"/Info 4 0 R"))
    assert told["content"] == "one"
    assert told["metadata"] == {
        "title": "A title", "author": "x" * 1_000, "created": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
    assert told["warnings"] == ["its modified cannot be read: ValueError: Can not convert date: soon"]  # fmt: skip


async def test_a_page_without_text_is_told_and_so_is_one_that_cannot_be_read() -> None:
    told = await read(a_pdf(says("one"), b"", b"[" * 20_000, says("four")))
    assert told["content"] == "one\n\n\n\n\n\nfour"
    empty, broken = told["warnings"]
    assert empty == "no text, and perhaps pictures, on page 2"
    assert broken.startswith("page 3 cannot be read: RecursionError")


async def test_text_that_no_json_may_hold_is_told_without_it() -> None:
    codes = b"2 beginbfchar\n<41> <D83D>\n<42> <0000>\nendbfchar"
    font = FONT.replace(b">>", b"/ToUnicode 4 0 R>>")
    told = await read(a_pdf(says("xABCy"), font=font, more=[a_stream(codes)]))
    assert told["content"] == "x\ufffdCy"


async def test_a_text_is_cut_as_it_is_made_and_the_rest_of_the_page_is_not_looked_at() -> None:
    form = [a_stream(b"/X Do", FORM % 4)]
    page = a_pdf(says("one"), says("y" * 50) + b"/X Do", resources=b"/XObject<</X 4 0 R>>", more=form)  # fmt: skip
    cut = await read(page, Pages(letters=20))
    assert (cut["content"], cut["warnings"]) == (
        "one\n\n" + "y" * 15,
        ["the text is cut on page 2"],
    )
    whole = await read(page)
    assert "cyclic" in str(whole["warnings"]), "what the rest of it would have said"


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-256"])
async def test_one_with_a_password_is_a_fault_and_one_that_only_forbids_printing_is_read(
    algorithm: str,
) -> None:
    closed = await read(locked(THREE, "secret", algorithm))
    assert closed == Refusal("pdf_encrypted", "it needs a password")
    assert (await read(locked(THREE, "", algorithm)))["content"] == "one\n\ntwo\n\nthree"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not_pdf"),
        (b"hello", "not_pdf"),
        (b" " * 1024 + THREE, "not_pdf"),
        (b"%PDF-1.7\n", "pdf_damaged"),
        (THREE[: len(THREE) // 2], "pdf_damaged"),
        (a_file([CATALOG, b"<</Type/Pages/Count 0/Kids[]>>"]), "pdf_damaged"),
    ],
)
async def test_what_is_no_pdf_or_a_damaged_one_is_a_fault(content: bytes, code: str) -> None:
    refused = await read(content)
    assert isinstance(refused, Refusal) and refused.code == code
    assert refused.detail.startswith("it ")


TWICE = zlib.compress(zlib.compress(b"\0" * 100_000_000, 9), 9)
FORMS = [a_stream(b"/X Do " * 10, FORM % (5 + it)) for it in range(12)]
HOSTILE = {
    "a bomb": (a_pdf(b"\n" * 80_000_000), "limit_reached"),
    "a bomb in a bomb": (
        a_file([CATALOG, TREE, PAGE % b"/Contents 4 0 R", b"<</Length %d/Filter[/FlateDecode/FlateDecode]>>stream\n%b\nendstream" % (len(TWICE), TWICE)]),
        None,
    ),
    "pages in a circle": (a_file([CATALOG, b"<</Type/Pages/Count 1/Kids[2 0 R]>>"]), "pdf_damaged"),
    "a million pages": (a_tree(6, 10), "limit_reached"),
    "a count that is not true": (a_file([CATALOG, TREE.replace(b"Count 1", b"Count 99999999999"), PAGE % b""]), None),
    "brackets without end": (a_pdf(b"[" * 200_000), "pdf_damaged"),
    "objects without end": (a_file([CATALOG, TREE, PAGE % (b"/X " + b"<</A " * 20_000)]), "pdf_damaged"),
    "a form in itself": (a_pdf(b"/X Do", resources=b"/XObject<</X 4 0 R>>", more=[a_stream(b"/X Do", FORM % 4)]), None),
    "forms of forms": (a_pdf(b"/X Do", resources=b"/XObject<</X 4 0 R>>", more=FORMS), None),
    "a table before itself": (a_pdf(says("z"), trailer=b"/Prev 15"), None),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
async def test_one_that_was_made_to_do_harm_comes_to_its_text_or_its_fault(name: str) -> None:
    content, code = HOSTILE[name]
    came = await read(content)
    assert (came.code if isinstance(came, Refusal) else None) == code, came
    if code is None:
        assert len(came["content"]) < 100_000 and came["pages"] == 1


async def test_one_that_is_damaged_anywhere_comes_to_its_text_or_its_fault() -> None:
    chance = Random(7)
    for _ in range(12):
        content = bytearray(THREE)
        for _ in range(chance.randint(1, 12)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        came = await read(bytes(content))
        assert isinstance(came, Refusal | dict)


async def test_where_what_reads_is_not_installed_it_says_how_to() -> None:
    bare = [sys.executable, "-I", "-S", str(READER)]
    told = (await anyio.run_process(bare, input=b"{}\n" + THREE)).stdout  # raises where it failed
    assert b"not_configured" in told and b"pip install 'perdure[pdf]'" in told
