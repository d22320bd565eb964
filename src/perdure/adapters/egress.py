"""The one outgoing HTTP client: bounded in time and size, and truthful about what may have been sent.

Where somebody else chose the URL, the addresses of its host are looked up, checked, and reached in
one act (`adapters/pinning.py`); nobody can change what a name stands for in between. The operator's
own addresses are not checked, and nothing else is reached through the client that is made for one.
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Final, NamedTuple

import anyio
import httpx2

from perdure.adapters.addresses import AddressRules, Refused
from perdure.adapters.lines import Lines
from perdure.adapters.pinning import Resolve, look_up, pinned, unpinned
from perdure.stores.http import HttpFailed, Reply
from perdure.stores.sites import Site, Unreadable, address_of, site_of

REDIRECTS_MAX: Final = 5
CLOSING_S: Final = 2.0  # for letting go of an answer that nobody reads on


class EgressLimits(NamedTuple):
    """The bounds of the client. At a bound the call fails; nothing is cut short silently."""

    connections_max: int = 1_000
    connections_kept: int = 100
    kept_s: float = 5.0
    connect_s: float = 10.0
    answer_bytes_max: int = 64 * 1024 * 1024


LIMITS: Final = EgressLimits()
PUBLIC: Final = AddressRules()


class Egress:
    """The process's connections: one pool for URLs that others choose, one for the operator's own."""

    def __init__(
        self, limits: EgressLimits = LIMITS, *, rules: AddressRules = PUBLIC, resolve: Resolve = look_up
    ) -> None:  # fmt: skip
        """Begin without a connection. The environment's proxies and netrc are not looked at."""
        self._limits = limits
        # Two pools, since a connection that is kept is not checked again.
        self._steered = _Pool(limits, lambda context: pinned(limits, context, rules, resolve))
        self._own = _Pool(limits, lambda context: unpinned(limits, context))

    def bound(self) -> "BoundHttp":
        """The client for what users steer: it reaches public addresses, and what the operator opened."""
        return BoundHttp(self._steered, self._limits)

    def own(self, url: str) -> "BoundHttp":
        """The client for an address that is the operator's own: it reaches this origin and no other.

        Raises `ValueError` where `url` is no plain web address.
        """
        return BoundHttp(self._own, self._limits, address_of(url)[0])

    async def close(self) -> None:
        """Close every connection."""
        await self._steered.close()
        await self._own.close()


class _Pool:
    """A client that is made when it is first asked for: reading the certificates takes a while."""

    def __init__(
        self, limits: EgressLimits, transport: Callable[[ssl.SSLContext], httpx2.AsyncBaseTransport]
    ) -> None:
        self._limits, self._transport = limits, transport
        self._made: httpx2.AsyncClient | None = None

    @property
    def client(self) -> httpx2.AsyncClient:
        if self._made is None:
            self._made = httpx2.AsyncClient(
                headers={"user-agent": "perdure", "accept-encoding": "identity"},
                timeout=httpx2.Timeout(None, connect=self._limits.connect_s),
                transport=self._transport(ssl.create_default_context()),
                trust_env=False,
            )
        return self._made

    async def close(self) -> None:
        if self._made is not None:
            await self._made.aclose()


class BoundHttp:
    """`Http` over a shared pool, for every site that the pool reaches or for one."""

    def __init__(self, pool: _Pool, limits: EgressLimits, site: Site | None = None) -> None:
        """Reach `site`, or without one whatever `pool` reaches."""
        self._pool = pool
        self._limits = limits
        self._site = site

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None,
        timeout_s: float = 60.0,
    ) -> Reply:  # fmt: skip
        """Send a request and read the whole answer."""
        opened = self.stream(method, url, headers=headers, content=content, timeout_s=timeout_s)
        async with opened as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None,
        timeout_s: float = 60.0,
    ) -> AsyncGenerator["Answer"]:  # fmt: skip
        """Send a request and read the answer as it comes; it is let go of at the end of the block."""
        trip = _Trip(method, url)
        with anyio.move_on_after(timeout_s) as deadline:
            response = await self._follow(trip, self._request(trip, headers, content))
            answer = Answer(response, trip, self._limits.answer_bytes_max)
            try:
                yield answer
            finally:
                with anyio.move_on_after(CLOSING_S, shield=True):
                    await answer.close()
        if deadline.cancelled_caught:
            raise trip.failed("timeout", f"no whole answer within {timeout_s:g} s")

    def _request(
        self, trip: "_Trip", headers: Mapping[str, str] | None, content: bytes | None
    ) -> httpx2.Request:
        try:
            request = self._pool.client.build_request(
                trip.method, trip.url, headers=headers, content=content
            )
        except (httpx2.InvalidURL, ValueError):
            raise trip.failed("not_allowed", "the request cannot be written") from None
        request.extensions["trace"] = trip.trace
        return request

    async def _follow(self, trip: "_Trip", request: httpx2.Request) -> httpx2.Response:
        """Send, and go after redirects that stay with the same origin and the same method."""
        for _ in range(REDIRECTS_MAX + 1):
            self._check(trip, request.url)
            with trip.translated():
                response = await self._pool.client.send(request, stream=True)
            onward = response.next_request
            if onward is None or not _same(request, onward):
                return response
            await response.aclose()
            onward.extensions["trace"] = trip.trace
            request = onward
        raise trip.failed("refused", f"more than {REDIRECTS_MAX} redirects")

    def _check(self, trip: "_Trip", url: httpx2.URL) -> None:
        if url.userinfo:
            raise trip.failed("not_allowed", "a URL carries no name and no password")
        try:
            site = site_of(url.scheme, url.raw_host.decode("ascii"), url.port)
        except Unreadable as error:
            raise trip.failed("not_allowed", str(error)) from None
        if self._site is not None and site != self._site:
            raise trip.failed("not_allowed", f"this client reaches {self._site.origin} alone")


class Answer:
    """An answer whose body is still coming."""

    def __init__(self, response: httpx2.Response, trip: "_Trip", bytes_max: int) -> None:
        """Read `response`, which is closed by whoever opened it."""
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)
        self._response = response
        self._trip = trip
        self._bytes_max = bytes_max
        self._seen = 0
        self._chunks = response.aiter_bytes()

    def lines(self) -> AsyncIterator[str]:
        """The body line by line, as it comes, up to the size cap."""
        return Lines(self.chunk)

    async def read(self) -> bytes:
        """The rest of the body, up to the size cap."""
        chunks = []
        while (chunk := await self.chunk()) is not None:
            chunks.append(chunk)
        return b"".join(chunks)

    async def chunk(self) -> bytes | None:
        """The next bytes, or `None` at the end."""
        with self._trip.translated():
            chunk = await anext(self._chunks, None)
        self._seen += len(chunk or b"")
        if self._seen > self._bytes_max:
            raise self._trip.failed("too_large", f"more than {self._bytes_max} bytes")
        return chunk

    async def close(self) -> None:
        """Let go of the answer and, where it was not read to its end, of its connection."""
        if isinstance(self._chunks, AsyncGenerator):
            await self._chunks.aclose()
        await self._response.aclose()


class _Trip:
    """One call on its way: what to say of it in an error, and whether it has left."""

    def __init__(self, method: str, url: str) -> None:
        self.method = method
        self.url = url
        self._sent = False

    async def trace(self, event: str, facts: Mapping[str, object]) -> None:
        """Hear from the pool; from the first byte of the request on the other side may have seen it."""
        if event.endswith("send_request_headers.started"):
            self._sent = True

    def failed(self, code: str, detail: str) -> HttpFailed:
        return HttpFailed(code, f"{self.method} {_origin(self.url)}: {detail}", sent=self._sent)

    @contextmanager
    def translated(self) -> Generator[None]:
        """Turn the client's errors into the one that the rooms above know."""
        try:
            yield
        except httpx2.TimeoutException as error:
            raise self.failed("timeout", "no connection in time") from error
        except Refused as error:
            raise self.failed("not_allowed", str(error)) from None
        except httpx2.LocalProtocolError:  # found while writing the head: nothing has left
            self._sent = False
            # Not chained: the library's words repeat the header, which may be a key.
            raise self.failed("not_allowed", "a header cannot be written") from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            code = "cut" if self._sent else "refused"
            raise self.failed(code, _phrase(error)) from error


def _phrase(error: httpx2.TransportError | httpx2.DecodingError) -> str:
    """What happened, in our words: the library's may hold addresses, or what the other side sent."""
    reason: BaseException | None = error
    while reason is not None:
        if isinstance(reason, ssl.SSLCertVerificationError):
            return f"its certificate is not good: {reason.verify_message}"
        if isinstance(reason, ssl.SSLError):
            return "no TLS could be agreed on"
        reason = reason.__cause__ or reason.__context__
    match error:
        case httpx2.ConnectError():
            return "no connection"
        case httpx2.RemoteProtocolError() | httpx2.DecodingError():
            return "what came is no whole HTTP answer"
        case _:
            return "the connection broke"


def _same(request: httpx2.Request, onward: httpx2.Request) -> bool:
    return _site(request.url) == _site(onward.url) and request.method == onward.method


def _site(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _origin(url: str) -> str:
    """The part of a URL that may be told to people: no path, no query, no password."""
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        return "an unreadable URL"
    port = "" if parsed.port is None else f":{parsed.port}"
    return f"{parsed.scheme}://{parsed.host}{port}"
