"""Forms with a file in them, read piece by piece: no more of the file is held than one piece of it."""

import re
from collections.abc import Awaitable, Callable
from typing import Final

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from perdure.errors import TooLarge, Unfit, UnknownMedia
from perdure.services.artifacts import Sent

PIECE_BYTES: Final = 256 * 1024  # of a file, handed on at once
FIELDS_MAX: Final = 16
FIELD_BYTES_MAX: Final = 4_096
HEADER_BYTES_MAX: Final = 8_192  # of one part
BOUNDARY_BYTES_MAX: Final = 256  # of which RFC 2046 allows 70
FORM: Final = "multipart/form-data"
PLAIN: Final = re.compile(r"[^\x00-\x1f\x7f]*")

Write = Callable[[bytes], Awaitable[None]]


class IncomingForm:
    """A form on its way in. Its fields are kept, and its one file goes where it is told."""

    def __init__(self, request: Request, file_bytes_max: int) -> None:
        """Read the body of `request`. Raises `UnknownMedia` where that is no form."""
        kind, options = parse_options_header(request.headers.get("content-type"))
        boundary = options.get(b"boundary", b"")
        if kind.decode("latin-1").lower() != FORM or not 0 < len(boundary) <= BOUNDARY_BYTES_MAX:
            raise UnknownMedia(f"Send the file as {FORM}, and say so in Content-Type.")
        self._request, self._most = request, file_bytes_max
        self._parser = MultipartParser(boundary, {
            "on_part_begin": self._part_begins, "on_part_data": self._data, "on_part_end": self._part_ends,
            "on_header_field": self._header_name, "on_header_value": self._header_value,
            "on_header_end": self._header_ends, "on_headers_finished": self._headers_end, "on_end": self._end,
        })  # fmt: skip
        self._headers: dict[str, bytes] = {}
        self._name, self._value = bytearray(), bytearray()
        self._field, self._is_file, self._ended = "", False, False
        self._fields: dict[str, bytearray] = {}
        self._pending = bytearray()
        self._size = 0
        self._file: tuple[str | None, str | None] | None = None

    async def into(self, write: Write) -> Sent:
        """Hand the file on, piece by piece; then what the fields say. Raises `Unfit`, `TooLarge`."""
        async for piece in self._request.stream():
            self._parse(piece)
            while len(self._pending) >= PIECE_BYTES:
                await write(bytes(self._pending[:PIECE_BYTES]))
                del self._pending[:PIECE_BYTES]
        if not self._ended:
            raise Unfit("The form is cut short.")
        if self._pending:
            await write(bytes(self._pending))
        if self._file is None:
            raise Unfit("file: the form has no file of this name.")
        filename, content_type = self._file
        return Sent(self._texts(), filename, content_type)

    def _parse(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except FormParserError as wrong:
            raise Unfit("The body is no form as it is read here.") from wrong

    def _texts(self) -> dict[str, str]:
        try:
            texts = {name: bytes(value).decode() for name, value in self._fields.items()}
        except UnicodeDecodeError as wrong:
            raise Unfit("A field of the form is not UTF-8.") from wrong
        if not all(PLAIN.fullmatch(text) for text in texts.values()):
            raise Unfit("A field of the form holds control characters.")
        return texts

    # --- what the parser finds -----------------------------------------------------------------

    def _part_begins(self) -> None:
        self._headers.clear()

    def _header_name(self, piece: bytes, start: int, end: int) -> None:
        self._grow(self._name, piece[start:end], HEADER_BYTES_MAX)

    def _header_value(self, piece: bytes, start: int, end: int) -> None:
        self._grow(self._value, piece[start:end], HEADER_BYTES_MAX)

    def _header_ends(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = bytes(self._value)
        if len(self._headers) > FIELDS_MAX:
            raise Unfit("A part of the form has too many headers.")
        self._name.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        """Know which field this is, and whether it is the file."""
        _, options = parse_options_header(self._headers.get("content-disposition", b""))
        self._field = options.get(b"name", b"").decode("utf-8", "replace")
        named = options.get(b"filename")
        self._is_file = named is not None
        if self._is_file:
            if self._file is not None or self._field != "file":
                raise Unfit("The form has one file, and its name is `file`.")
            kind = self._headers.get("content-type")
            self._file = (
                (named or b"").decode("utf-8", "replace") or None,
                None if kind is None else kind.decode("latin-1"),
            )
        elif self._field in self._fields or len(self._fields) >= FIELDS_MAX:
            raise Unfit("The form has a field twice, or too many of them.")
        else:
            self._fields[self._field] = bytearray()

    def _data(self, piece: bytes, start: int, end: int) -> None:
        if not self._is_file:
            self._grow(self._fields[self._field], piece[start:end], FIELD_BYTES_MAX)
            return
        self._size += end - start
        if self._size > self._most:
            raise TooLarge(f"The file is larger than {self._most} bytes.", bytes_max=self._most)
        self._pending += piece[start:end]

    def _part_ends(self) -> None:
        self._is_file = False

    def _end(self) -> None:
        self._ended = True

    @staticmethod
    def _grow(text: bytearray, piece: bytes, most: int) -> None:
        text += piece
        if len(text) > most:
            raise Unfit(f"A field or a header of the form is longer than {most} bytes.")
