"""What kind of bytes these are: by what they begin with, and only then by what somebody says of them."""

import mimetypes
import re
from typing import Final

TEXT: Final = "text/plain"
BYTES: Final = "application/octet-stream"
ZIP: Final = "application/zip"
NAMED: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
# Types that bytes without a sign of their own may be said to be; all that has one is told by it.
SIGNED: Final = ("image/", "audio/", "video/", "application/pdf", "application/zip", "application/gzip")  # fmt: skip
IN_ZIP: Final = ("application/vnd.openxmlformats-", "application/vnd.oasis.opendocument.", "application/epub+zip", "application/java-archive")  # fmt: skip
TEXTUAL: Final = re.compile(r"text/.*|application/(json|xml|yaml|x-yaml|x-ndjson|toml|javascript|sql|.*\+(json|xml))|image/svg\+xml")  # fmt: skip

# Where each sign stands, what it is, and what it tells.
SIGNS: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"), (0, b"\xff\xd8\xff", "image/jpeg"), (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"), (8, b"WEBP", "image/webp"), (0, b"BM", "image/bmp"),
    (0, b"II*\x00", "image/tiff"), (0, b"MM\x00*", "image/tiff"), (4, b"ftypavif", "image/avif"),
    (4, b"ftypheic", "image/heic"), (0, b"%PDF-", "application/pdf"), (0, b"PK\x03\x04", ZIP),
    (0, b"PK\x05\x06", ZIP), (0, b"\x1f\x8b", "application/gzip"), (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"BZh", "application/x-bzip2"), (0, b"\xfd7zXZ\x00", "application/x-xz"), (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"), (0, b"\xff\xfb", "audio/mpeg"), (0, b"\xff\xf3", "audio/mpeg"), (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "audio/ogg"), (4, b"ftypM4A", "audio/mp4"), (8, b"AVI ", "video/x-msvideo"),
    (4, b"ftyp", "video/mp4"), (0, b"\x1aE\xdf\xa3", "video/webm"), (0, b"\x7fELF", "application/x-executable"),
    (0, b"MZ", "application/x-msdownload"), (0, b"SQLite format 3\x00", "application/vnd.sqlite3"),
)  # fmt: skip
RIFF: Final = b"RIFF"  # what stands before the signs at 8


def media_type_of(head: bytes, said: str | None, filename: str | None) -> str:
    """The type of bytes that begin with `head`. What they show wins over what is said of them."""
    claimed = _plain(said) or _plain(mimetypes.guess_type(filename or "", strict=False)[0]) or ""
    shown = _shown(head)
    if shown is not None:
        return claimed if shown == ZIP and claimed.startswith(IN_ZIP) else shown
    if _is_text(head):
        return claimed if TEXTUAL.fullmatch(claimed) else TEXT
    if not claimed or TEXTUAL.fullmatch(claimed) or claimed.startswith(SIGNED):
        return BYTES
    return claimed


def _plain(said: str | None) -> str | None:
    """A type without its parameters, if it is one."""
    plain = (said or "").partition(";")[0].strip().lower()
    return plain if NAMED.fullmatch(plain) else None


def _shown(head: bytes) -> str | None:
    for at, sign, told in SIGNS:
        if head.startswith(sign, at) and (at != len(RIFF) * 2 or head.startswith(RIFF)):
            return told
    return None


def _is_text(head: bytes) -> bool:
    if b"\x00" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as cut:
        return cut.start > len(head) - 4 and cut.reason == "unexpected end of data"
    return True
