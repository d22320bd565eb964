"""Forms sent to an application piece by piece, as a server takes them in."""

from collections.abc import Iterator
from typing import Any, Final

import orjson
from starlette.types import ASGIApp

from tests.support.gateway import BEARER

PATH: Final = "/api/gateway/attachments/upload"
BOUND: Final = b"the-boundary"
FILE: Final = b'; filename="a.bin"\r\nContent-Type: application/octet-stream'
END: Final = b"--%b--\r\n" % BOUND


def part(name: str, value: bytes, *more: bytes) -> bytes:
    """A part of a form."""
    head = b'--%b\r\nContent-Disposition: form-data; name="%b"' % (BOUND, name.encode())
    return b"\r\n".join([b"".join([head, *more]), b"", value, b""])


def large(size: int) -> Iterator[bytes]:
    """A form with a file of so many bytes, in pieces as a server hands them on."""
    yield part("session_id", b"S") + part("file", b"", FILE)[:-2]
    piece = bytes(range(256)) * 256
    for _ in range(size // len(piece)):
        yield piece
    yield b"\r\n" + END


async def sent(app: ASGIApp, pieces: Iterator[bytes], *, whole: bool = True) -> tuple[int, Any]:
    """Send a body piece by piece; `whole` or until the sender is gone. The status and the answer."""
    answers: list[Any] = []

    async def receive() -> Any:
        piece = next(pieces, None)
        if piece is None:
            return {"type": "http.request" if whole else "http.disconnect", "body": b""}
        return {"type": "http.request", "body": piece, "more_body": True}

    async def send(message: Any) -> None:
        answers.append(message)

    kind = b"multipart/form-data; boundary=" + BOUND
    headers = [(name.encode(), value.encode()) for name, value in BEARER.items()]
    scope = {
        "type": "http", "method": "POST", "path": PATH, "raw_path": PATH.encode(), "query_string": b"",
        "headers": [*headers, (b"content-type", kind)], "http_version": "1.1", "scheme": "http", "root_path": "",
        "client": ("127.0.0.1", 1), "server": ("gateway", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    return answers[0]["status"], orjson.loads(b"".join(it.get("body", b"") for it in answers))
