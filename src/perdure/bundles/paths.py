"""Names inside a bundle: relative, plain, and the same file on every system."""

import re
from unicodedata import normalize

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # and what is no letter at all
SHOWN_MAX = 80  # letters of a foreign text that a message repeats

_FAULTS = (  # in this order: the first that holds is the one named
    ("empty_name", lambda path: not path),
    ("control_character", lambda path: CONTROL.search(path) is not None),
    ("drive_path", lambda path: ":" in path),  # also the streams of NTFS
    ("backslash_path", lambda path: "\\" in path),
    ("absolute_path", lambda path: path.startswith("/")),
    ("zip_slip", lambda path: ".." in path.split("/")),
    ("dot_segment", lambda path: "." in path.split("/")),
    ("empty_segment", lambda path: "" in path.split("/")),
    # Windows drops what ends a segment here, and so opens another file.
    ("trailing_dot", lambda path: any(part.endswith((".", " ")) for part in path.split("/"))),
)


def fault_of(path: str) -> str | None:
    """Name what makes `path` unsafe as the name of a file in a bundle, or `None`."""
    return next((fault for fault, holds in _FAULTS if holds(path)), None)


def key_of(path: str) -> str:
    """The same key for all names that some file system takes for one: case and Unicode forms."""
    return normalize("NFKC", normalize("NFKC", path).casefold())


def quoted(text: object) -> str:
    """A foreign text as a message may repeat it: short, and without what a terminal would obey."""
    shown = str(text)
    return ascii(shown if len(shown) <= SHOWN_MAX else shown[:SHOWN_MAX] + "…")
