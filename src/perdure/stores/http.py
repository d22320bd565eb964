"""What the program needs of the outside: one HTTP client, and the truth about calls without an answer."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol


class Reply(NamedTuple):
    """A whole answer of an HTTP call. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Streamed(Protocol):
    """An answer whose body is still coming."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in lower case."""
        ...

    def lines(self) -> AsyncIterator[str]:
        """The body line by line, as it comes, up to the size cap."""
        ...

    async def read(self) -> bytes:
        """The rest of the body, up to the size cap."""
        ...


class Http(Protocol):
    """The one outgoing HTTP client, bound to what its principal may reach.

    Raises `HttpFailed` (see `sent`) when no answer came. `timeout_s` bounds the whole call, from
    the connection to the last byte. A redirect to another origin is not followed: it is the answer.
    """

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None,
        timeout_s: float = 60.0,
    ) -> Reply:  # fmt: skip
        """Send a request and read the whole answer."""
        ...

    def stream(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None,
        timeout_s: float = 60.0,
    ) -> AbstractAsyncContextManager[Streamed]:  # fmt: skip
        """Send a request and read the answer as it comes."""
        ...


Own = Callable[[str], Http]
"""A client for one address that the operator chose: it reaches this origin, wherever it is, and no other."""


class HttpFailed(Exception):
    """No answer came. `sent` says whether the other side may have seen the request."""

    def __init__(self, code: str, detail: str, *, sent: bool) -> None:
        """`code`: refused, timeout, cut, not_allowed, too_large."""
        self.code = code
        self.detail = detail
        self.sent = sent
        super().__init__(f"{code}: {detail}")
