"""One request on its way through: what is counted of it, and what is added to its answer."""

import re
from collections.abc import Collection
from typing import Final

import anyio
from starlette.types import Message, Receive, Scope, Send

from perdure.api.origins import Headers
from perdure.api.proxies import Seen
from perdure.errors import Invalid, TooLarge
from perdure.ids import new_id
from perdure.runtimes.context import Use

SENT_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")  # of a request, if the client names one
# What a route does not say otherwise: answers are not kept, and a browser that shows one runs nothing in it.
PROTECTIVE: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
]
NOWHERE: Final = Seen("", "", secure=False)
LINGER_BYTES: Final = 8 * 1024 * 1024  # of a refused body, read on so that the refusal is heard
LINGER_S: Final = 2.0


class Visit:
    """One request, from its head to the last byte of its answer."""

    __slots__ = (
        "_bytes_max", "_receive", "_send", "_used", "_whole", "added", "bytes_in", "headers", "request_id", "scope",
        "seen", "status",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive, send: Send, bytes_max: int) -> None:
        """Take a request in, and name it."""
        self.scope, self._receive, self._send = scope, receive, send
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = _request_id(self.headers)
        self.seen = NOWHERE
        self.status = 500
        self.bytes_in = 0
        self._bytes_max = bytes_max
        self._used: list[Use] = []
        self._whole = False  # whether the body was read to its end
        self.added: Headers = [(b"x-request-id", self.request_id.encode()), *PROTECTIVE]
        scope.setdefault("state", {})["request_id"] = self.request_id

    def hold(self, use: Use) -> None:
        """Use a runtime until the last byte of the answer is sent."""
        use.__enter__()
        self._used.append(use)

    def leave(self) -> None:
        """Use no runtime any more."""
        while self._used:
            self._used.pop().__exit__()

    def check_headers(self, once: Collection[bytes]) -> None:
        """Have the cookies in one line. Raises `Invalid` where a header of `once` stands twice."""
        sent = self.scope["headers"]
        if len(sent) == len(self.headers):
            return
        names = [name for name, _ in sent]
        twice = next((name for name in once if names.count(name) > 1), None)
        if twice is not None:
            raise Invalid(f"The header {twice.decode()} stands there more than once.")
        if b"cookie" in self.headers:
            self.headers[b"cookie"] = b"; ".join(it for name, it in sent if name == b"cookie")

    async def receive(self) -> Message:
        """The next piece of the body. Raises `TooLarge` when it is too much."""
        message = await self._next()
        self.check_size(self.bytes_in)
        return message

    async def _next(self) -> Message:
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send on, with what every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.status >= 400:
                await self._linger()
            message["headers"] = _with(message.get("headers", ()), self.added)
        await self._send(message)

    async def _linger(self) -> None:
        """Read on where the answer is the end of a connection that still brings a body.

        A connection that is closed with bytes unread is reset, and the answer on it lost.
        """
        last = b"close" in self.headers.get(b"connection", b"").lower()
        last = last or self.scope.get("http_version") == "1.0"
        if not last or b"expect" in self.headers:
            return
        with anyio.move_on_after(LINGER_S):
            while not self._whole and self.bytes_in < LINGER_BYTES + self._bytes_max:
                await self._next()

    def check_size(self, size: int) -> None:
        """Raises `TooLarge` for a body of so many bytes."""
        if size > self._bytes_max:
            raise TooLarge(
                f"The body is larger than {self._bytes_max} bytes.", bytes_max=self._bytes_max
            )


def _request_id(headers: dict[bytes, bytes]) -> str:
    sent = headers.get(b"x-request-id", b"").decode("latin-1")
    return sent if SENT_ID.fullmatch(sent) else new_id()


def _with(headers: object, added: Headers) -> Headers:
    """The headers of an answer with ours; what the route set itself stays."""
    own: Headers = list(headers)  # type: ignore[call-overload]  # ASGI promises pairs of bytes
    names = {name for name, _ in own}
    own += [header for header in added if header[0] not in names]
    return own
