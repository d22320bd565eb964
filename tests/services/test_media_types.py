"""What bytes show of themselves wins over what is said of them."""

import pytest

from perdure.services.media_types import SIGNS, media_type_of

PNG = b"\x89PNG\r\n\x1a\n\x00\x00"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("head", "said", "filename", "told"),
    [
        (PNG, None, None, "image/png"),
        (PNG, "text/html", "page.html", "image/png"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/mpeg", None, "audio/wav"),
        (b"xxxx\x00\x00\x00\x00WAVE", None, None, "application/octet-stream"),
        (b"PK\x03\x04\x14", DOCX, None, DOCX),
        (b"PK\x03\x04\x14", None, "a.docx", DOCX),
        (b"PK\x03\x04\x14", "text/html", None, "application/zip"),
        (b"<script>", "image/png", None, "text/plain"),
        (b"<script>", "text/html; charset=utf-8", None, "text/html"),
        (b'{"a": 1}', None, "a.json", "application/json"),
        (b"<svg/>", None, "a.svg", "image/svg+xml"),
        (b"hello", None, None, "text/plain"),
        (b"hello", "no type", "a.md", "text/markdown"),
        (b"", None, None, "text/plain"),
        ("ä".encode()[:1], None, None, "text/plain"),
        (b"\xff\xfe\x00", "text/html", None, "application/octet-stream"),
        (b"\x00\x01", "image/png", None, "application/octet-stream"),
        (b"\x00\x01", "application/x-own", None, "application/x-own"),
        (b"\x00\x01", None, "a.bin", "application/octet-stream"),
    ],
)
def test_bytes_are_told_by_what_they_show(
    head: bytes, said: str | None, filename: str | None, told: str
) -> None:
    assert media_type_of(head, said, filename) == told


def test_every_sign_is_found() -> None:
    for at, sign, told in SIGNS:
        before = b"RIFF\x00\x00\x00\x00" if at == 8 else b"\x00" * at
        assert media_type_of(before + sign + b"\x00", None, None) == told
