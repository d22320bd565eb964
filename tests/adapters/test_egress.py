"""The outgoing client: whole calls are bounded, and an error tells truly whether the request had left."""

import socket
import threading
from collections.abc import AsyncGenerator, Callable, Generator

import anyio
import pytest

from perdure.adapters.egress import Egress
from perdure.stores.http import Http, HttpFailed
from tests.support.egress import an_egress
from tests.support.loopback import Call, Exchange, Loopback, unused_port

pytestmark = pytest.mark.anyio


@pytest.fixture
async def egress() -> AsyncGenerator[Egress]:
    client = an_egress(answer_bytes_max=1_000)
    yield client
    await client.close()


@pytest.fixture
def http(egress: Egress) -> Http:
    return egress.bound()


def in_lines(exchange: Exchange) -> None:
    exchange.begin(200)
    for part in (b"a\r", "\n\nb\u2028c".encode(), b"\xe2\x82", b"\xac\nlast"):
        exchange.piece(part)
    exchange.end()


def half(exchange: Exchange) -> None:
    exchange.begin(200)
    exchange.piece(b"half\n")
    exchange.cut()


def to(where: str) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.reply(307, b"", {"location": where})


ANSWERS: dict[str, Callable[[Exchange], None]] = {
    "/large": lambda exchange: exchange.reply(200, b"x" * 1_001),
    "/there": to("/hello"),
    "/round": to("/round"),
    "/away": to(f"http://localhost:{unused_port()}/hello"),
    "/lines": in_lines,
    "/cut": half,
}


def told(call: Call, exchange: Exchange) -> None:
    if call.path == "/hello":
        exchange.reply(200, b"hello " + call.body, {"X-Seen": call.headers.get("x-key", "")})
    else:
        ANSWERS[call.path](exchange)


@pytest.fixture
def server() -> Generator[Loopback]:
    with Loopback(told) as running:
        yield running


async def failure_of(http: Http, method: str, url: str, timeout_s: float = 5.0) -> HttpFailed:
    with pytest.raises(HttpFailed) as failed:
        await http.send(method, url, timeout_s=timeout_s)
    return failed.value


async def test_a_call_carries_headers_and_body_both_ways(http: Http, server: Loopback) -> None:
    reply = await http.send("POST", f"{server.url}/hello", headers={"x-key": "k"}, content=b"you")
    assert (reply.status, reply.body, reply.headers["x-seen"]) == (200, b"hello you", "k")


async def test_a_refused_connection_was_not_sent(http: Http) -> None:
    failed = await failure_of(http, "GET", f"http://127.0.0.1:{unused_port()}/secret?key=1")
    assert (failed.code, failed.sent) == ("refused", False)
    assert "secret" not in failed.detail and "key" not in failed.detail


async def test_a_name_that_is_nobody_s_was_not_sent(http: Http) -> None:
    assert not (await failure_of(http, "GET", "http:///x")).sent


async def test_silence_after_the_request_was_sent(http: Http) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        failed = await failure_of(http, "POST", url, timeout_s=2)
    assert (failed.code, failed.sent) == ("timeout", True)


async def test_a_drip_does_not_outlive_the_deadline(http: Http) -> None:
    def drip(call: Call, exchange: Exchange) -> None:
        exchange.begin(200)
        while not over.is_set():
            exchange.piece(b".")
            over.wait(0.02)

    over = threading.Event()
    with Loopback(drip) as server:
        failed = await failure_of(http, "GET", server.url, timeout_s=2)
        over.set()
    assert (failed.code, failed.sent) == ("timeout", True)


async def test_a_cut_answer_is_no_answer(http: Http, server: Loopback) -> None:
    failed = await failure_of(http, "GET", f"{server.url}/cut")
    assert (failed.code, failed.sent) == ("cut", True)


async def test_a_cut_is_seen_inside_the_stream_too(http: Http, server: Loopback) -> None:
    seen = []
    async with http.stream("GET", f"{server.url}/cut") as answer:
        with pytest.raises(HttpFailed, match="cut"):
            async for line in answer.lines():
                seen.append(line)
    assert seen == ["half"]


async def test_an_answer_larger_than_the_cap_fails(http: Http, server: Loopback) -> None:
    failed = await failure_of(http, "GET", f"{server.url}/large")
    assert (failed.code, failed.sent) == ("too_large", True)


async def test_lines_end_with_a_line_feed_and_nothing_else(http: Http, server: Loopback) -> None:
    async with http.stream("GET", f"{server.url}/lines") as answer:
        assert [line async for line in answer.lines()] == ["a", "", "b\u2028c€", "last"]


async def test_a_stream_left_early_takes_no_connection_along(http: Http, server: Loopback) -> None:
    async with http.stream("GET", f"{server.url}/lines") as answer:
        assert answer.status == 200
    assert (await http.send("GET", f"{server.url}/hello")).body == b"hello "


async def test_a_redirect_is_followed_at_home_only(http: Http, server: Loopback) -> None:
    assert (await http.send("POST", f"{server.url}/there", content=b"you")).body == b"hello you"
    assert (await http.send("GET", f"{server.url}/away")).status == 307
    failed = await failure_of(http, "GET", f"{server.url}/round")
    assert (failed.code, failed.sent) == ("refused", True)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://127.0.0.1/", "http://a:b@127.0.0.1/", "nonsense"],
)
async def test_what_is_no_plain_web_address_is_not_reached(http: Http, url: str) -> None:
    failed = await failure_of(http, "GET", url)
    assert (failed.code, failed.sent) == ("not_allowed", False)


async def test_cancelling_a_call_is_prompt(http: Http) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with anyio.move_on_after(0.1) as scope:
            await http.send("GET", url)
    assert scope.cancelled_caught


async def test_a_header_that_cannot_be_written_is_not_sent(http: Http, server: Loopback) -> None:
    for value in ("é€", "a\nb: c"):
        with pytest.raises(HttpFailed) as failed:
            await http.send("GET", server.url, headers={"x-key": value})
        assert not failed.value.sent
        assert "b: c" not in str(failed.value) and failed.value.__cause__ is None
    assert server.calls == []


async def test_an_error_repeats_nothing_that_the_other_side_sent(http: Http) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4_096)
                connection.sendall(b"220 internal.example ESMTP\r\n")

        greeter = threading.Thread(target=greet)
        greeter.start()
        failed = await failure_of(http, "GET", f"http://127.0.0.1:{listening.getsockname()[1]}/")
        greeter.join()
    assert (failed.code, failed.sent) == ("cut", True)
    assert "internal" not in failed.detail
