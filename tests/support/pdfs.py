"""PDFs for tests, object by object: as many made to do harm as to be read."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from perdure.features.files.pdf.bounds import PdfBounds
from perdure.features.files.pdf.pdfs import Pages, Pdfs
from perdure.features.files.workspace import Workspace

BOUNDS: Final = PdfBounds(at_once=1)
ALL: Final = Pages()
CATALOG: Final = b"<</Type/Catalog/Pages 2 0 R>>"
FONT: Final = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"


def a_file(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """A file of these objects, numbered from 1 on, of which the first is the catalog."""
    made, places = bytearray(b"%PDF-1.7\n"), list[int]()
    for number, body in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(made)
    made += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    made += b"".join(b"%010d 00000 n \n" % place for place in places)
    made += b"trailer\n<</Size %d/Root 1 0 R%b>>\n" % (len(objects) + 1, trailer)
    return bytes(made + b"startxref\n%d\n%%%%EOF\n" % start)


def a_stream(content: bytes, facts: bytes = b"") -> bytes:
    """A stream, packed."""
    packed = zlib.compress(content, 9)
    return b"<</Length %d/Filter/FlateDecode%b>>stream\n%b\nendstream" % (
        len(packed),
        facts,
        packed,
    )


def a_pdf(
    *pages: bytes, font: bytes = FONT, resources: bytes = b"", more: Sequence[bytes] = (), trailer: bytes = b""
) -> bytes:  # fmt: skip
    """A PDF whose pages have these contents. `more` are objects from number 4 on, before the pages."""
    first = 4 + len(more)
    kids = b" ".join(b"%d 0 R" % (first + 2 * it) for it in range(len(pages)))
    tree = b"<</Type/Pages/Count %d/Kids[%b]>>" % (len(pages), kids)
    objects = [CATALOG, tree, font, *more]
    for number, content in enumerate(pages):
        page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font<</F 3 0 R>>%b>>/Contents %d 0 R>>"
        objects += [page % (resources, first + 2 * number + 1), a_stream(content)]
    return a_file(objects, trailer)


def says(text: str) -> bytes:
    """The content of a page that says a line."""
    return b"BT /F 12 Tf 50 700 Td (%b) Tj ET\n" % text.encode("latin-1")


def a_tree(depth: int, width: int) -> bytes:
    """A PDF whose pages are as many as `width` to the power of `depth`: each node names the next so often."""
    nodes = [
        b"<</Type/Pages/Count 1/Kids[%b]>>" % (b"%d 0 R " % number * width)
        for number in range(3, 3 + depth)
    ]
    return a_file([CATALOG, *nodes, b"<</Type/Page/MediaBox[0 0 9 9]>>"])


async def read(content: bytes, pages: Pages = ALL, bounds: PdfBounds = BOUNDS) -> Any:
    """What comes of reading a PDF in a process of its own, as the program does."""
    with TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        workspace.write("a.pdf", content)
        return await Pdfs(bounds).read(workspace, "a.pdf", pages)
