"""Which pages of which sites may ask, and what their browsers are told."""

import re
from collections.abc import Iterable
from typing import Final

from perdure.errors import Forbidden

METHODS: Final = b"GET, POST, PUT, PATCH, DELETE, OPTIONS"
READABLE: Final = b"x-request-id, retry-after, content-disposition"
MAX_AGE_S: Final = 600
SAFE_HEADERS: Final = re.compile(rb"[A-Za-z0-9 ,_-]{0,1000}")

Headers = list[tuple[bytes, bytes]]


class Origins:
    """The origins that are let in: those listed, and the server's own."""

    def __init__(self, allowed: Iterable[str]) -> None:
        """Let in what is one of the patterns, in which a `*` stands for a port, or within a host."""
        patterns = "|".join(_pattern_of(text.strip()) for text in allowed if text.strip())
        self._allowed = re.compile(patterns or r"(?!)")

    def check(self, origin: str, host: str) -> None:
        """Raises `Forbidden` for any other origin."""
        same = origin.partition("://")[2] == host and bool(host)
        if not (same or self._allowed.fullmatch(origin)):
            raise Forbidden("Pages of this origin may not ask.", reason_code="origin_not_allowed")

    def told(self, origin: bytes) -> Headers:
        """What the browser needs, to hand an answer to a page of an allowed origin."""
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", READABLE),
            (b"vary", b"Origin"),
        ]

    def preflight(self, origin: bytes, asked: bytes) -> Headers:
        """What the browser needs before it lets a page ask."""
        headers = asked if SAFE_HEADERS.fullmatch(asked) else b""
        return [
            *self.told(origin),
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", headers),
            (b"access-control-max-age", b"%d" % MAX_AGE_S),
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"2"),
        ]


def _pattern_of(text: str) -> str:
    # A port has digits only: `localhost:*` is not `localhost:3000.example.org`.
    host, any_port = text.removesuffix(":*"), text.endswith(":*")
    return re.escape(host).replace(r"\*", "[A-Za-z0-9.-]*") + (r":[0-9]{1,5}" if any_port else "")
