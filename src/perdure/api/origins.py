"""Which pages of which sites may ask, and what their browsers are told."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from perdure.errors import Forbidden, Invalid

METHODS: Final = b"GET, POST, PUT, PATCH, DELETE, OPTIONS"
READABLE: Final = b"x-request-id, retry-after, content-disposition"
MAX_AGE_S: Final = 600
SAFE_HEADERS: Final = re.compile(rb"[A-Za-z0-9 ,_-]{0,1000}")
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
LETTERS_MAX: Final = 300  # of an origin: a host has 253 at most
ANY: Final = "*"

# An origin is a scheme, a host and perhaps a port, and nothing else (RFC 6454 §6.2).
_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[a-z0-9_*-]+(?:\.[a-z0-9_*-]+)*|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}|\*))?",
    re.ASCII,
)
_AUTHORITY: Final = re.compile(r"[a-z0-9._-]+(?::[0-9]{1,5})?|\[[0-9a-f:.]+\](?::[0-9]{1,5})?")

Headers = list[tuple[bytes, bytes]]


class Origin(NamedTuple):
    """An origin in its parts; `port` is that of the scheme where none is written."""

    scheme: str
    labels: tuple[str, ...]
    port: int | None


class Pattern(NamedTuple):
    """Which origins are meant: each label may hold a `*`, which stands for letters and never for a dot."""

    scheme: str
    labels: tuple[re.Pattern[str], ...]
    port: int | None
    any_port: bool

    def fits(self, origin: Origin) -> bool:
        """Whether `origin` is one of those."""
        return (
            origin.scheme == self.scheme
            and (self.any_port or origin.port == self.port)
            and len(origin.labels) == len(self.labels)
            and all(
                one.fullmatch(label) for one, label in zip(self.labels, origin.labels, strict=True)
            )
        )


def pattern_of(text: str) -> Pattern:
    """The pattern that a setting writes. Raises `Invalid` for what is no origin."""
    found = _ORIGIN.fullmatch(text.lower())
    if found is None:
        raise Invalid(f"{text!r} is no origin: write scheme://host, or scheme://host:port")
    scheme, port = found["scheme"], found["port"]
    labels = tuple(_label_of(label) for label in _labels(found["host"]))
    return Pattern(scheme, labels, _port(scheme, None if port == ANY else port), port == ANY)


def origin_of(text: str) -> Origin | None:
    """The parts of what a browser sends; `None` for what is no origin, such as `null`."""
    if len(text) > LETTERS_MAX or not text.isascii() or ANY in text:
        return None
    found = _ORIGIN.fullmatch(text.lower())
    if found is None:
        return None
    return Origin(found["scheme"], _labels(found["host"]), _port(found["scheme"], found["port"]))


class Origins:
    """The origins that are let in: those listed, and the server's own."""

    def __init__(self, allowed: Iterable[str]) -> None:
        """Let in what fits a pattern. Raises `Invalid` for one that is none."""
        self._allowed = [pattern_of(text.strip()) for text in allowed if text.strip()]
        self._listed = lru_cache(256)(self._is_listed)

    def check(self, origin: str, host: str, *, secure: bool = False) -> None:
        """Raises `Forbidden` for any other origin. `host` and `secure` say where the request arrived."""
        listed = len(origin) <= LETTERS_MAX and self._listed(origin)
        if not (listed or is_same(origin, host, secure=secure)):
            raise Forbidden("Pages of this origin may not ask.", reason_code="origin_not_allowed")

    def _is_listed(self, text: str) -> bool:
        origin = origin_of(text)
        return origin is not None and any(pattern.fits(origin) for pattern in self._allowed)

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


def is_same(text: str, host: str, *, secure: bool) -> bool:
    """Whether an origin is the server's own, which was asked at `host`.

    A page that came by TLS is as good as one that did not: the TLS may end before the server does.
    """
    origin = origin_of(text)
    if origin is None or not _AUTHORITY.fullmatch(host.lower()):
        return False
    schemes = ("https",) if secure else ("https", "http")
    return origin.scheme in schemes and origin == origin_of(f"{origin.scheme}://{host}")


def _labels(host: str) -> tuple[str, ...]:
    return (host,) if host.startswith("[") else tuple(host.split("."))


def _label_of(label: str) -> re.Pattern[str]:
    return re.compile(re.escape(label).replace(r"\*", "[a-z0-9_-]*"))


def _port(scheme: str, text: str | None) -> int | None:
    return DEFAULT_PORTS.get(scheme) if text is None else int(text)
