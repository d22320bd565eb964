"""A request is named, its headers are read one way, and every answer carries what protects it."""

from typing import Any

import pytest
from starlette.types import Message

from perdure.api.visit import Visit
from perdure.errors import Invalid, TooLarge
from perdure.runtimes.context import Use

pytestmark = pytest.mark.anyio


class Wire:
    """A connection with one body, and what was sent over it."""

    def __init__(self, *pieces: bytes) -> None:
        """Bring these pieces."""
        self._pieces = list(pieces)
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        """The next piece."""
        body = self._pieces.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(self._pieces)}

    async def send(self, message: Message) -> None:
        """Keep what is sent."""
        self.sent.append(message)


def a_visit(*headers: tuple[bytes, bytes], wire: Wire | None = None, most: int = 10) -> Visit:
    """A request with these headers."""
    wire = wire or Wire(b"")
    scope: dict[str, Any] = {"type": "http", "headers": list(headers), "http_version": "1.1"}
    return Visit(scope, wire.receive, wire.send, most)


async def answered(*own: tuple[bytes, bytes]) -> dict[bytes, bytes]:
    """The headers of an answer for which a route set `own`."""
    wire = Wire(b"")
    visit = a_visit((b"x-request-id", b"mine"), wire=wire)
    await visit.send({"type": "http.response.start", "status": 200, "headers": list(own)})
    assert visit.status == 200
    return dict(wire.sent[0]["headers"])


async def test_every_answer_says_that_it_is_not_to_be_kept_framed_or_run() -> None:
    headers = await answered()
    assert headers == {
        b"x-request-id": b"mine", b"x-content-type-options": b"nosniff", b"x-frame-options": b"DENY",
        b"referrer-policy": b"no-referrer", b"cross-origin-resource-policy": b"same-origin",
        b"cache-control": b"no-store",
        b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'; sandbox",
    }  # fmt: skip


async def test_what_a_route_says_itself_stays() -> None:
    own = (
        (b"cache-control", b"private"),
        (b"content-security-policy", b"x"),
        (b"set-cookie", b"y"),
    )
    headers = await answered(*own)
    assert own == tuple((name, headers[name]) for name, _ in own)


def test_cookies_of_several_lines_are_one_line() -> None:
    visit = a_visit((b"cookie", b"a=1"), (b"accept", b"x"), (b"cookie", b"b=2"))
    visit.check_headers({b"host"})
    assert visit.headers[b"cookie"] == b"a=1; b=2"


def test_a_header_that_says_who_asks_stands_there_once() -> None:
    once = {b"authorization", b"origin"}
    for name in once:
        with pytest.raises(Invalid):
            a_visit((name, b"a"), (b"accept", b"x"), (name, b"b")).check_headers(once)
    a_visit((b"accept", b"x"), (b"accept", b"y")).check_headers(once)
    a_visit((b"authorization", b"x"), (b"accept", b"y")).check_headers(once)


async def test_a_body_is_counted_as_it_comes() -> None:
    visit = a_visit(wire=Wire(b"12345", b"67890", b"1"), most=10)
    await visit.receive()
    await visit.receive()
    assert visit.bytes_in == 10
    with pytest.raises(TooLarge):
        await visit.receive()


async def test_a_refused_body_is_read_on_where_the_connection_ends_with_the_answer() -> None:
    wire = Wire(b"12345", b"678")
    visit = a_visit((b"connection", b"close"), wire=wire)
    await visit.send({"type": "http.response.start", "status": 413})
    assert visit.bytes_in == 8
    again = a_visit(wire=Wire(b"12345", b"678"))
    await again.send({"type": "http.response.start", "status": 413})
    assert again.bytes_in == 0


def test_a_runtime_is_in_use_until_the_visit_leaves() -> None:
    visit, use = a_visit(), Use()
    visit.hold(use)
    visit.hold(use)
    assert use.holders == 2
    for _ in range(2):
        visit.leave()
        assert use.holders == 0
