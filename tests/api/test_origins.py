"""Pages of listed origins may ask, and those of the server itself; all others may not."""

import pytest

from perdure.api.origins import Origins, is_same, origin_of, pattern_of
from perdure.errors import Forbidden, Invalid

LOCAL = Origins(
    ["http://localhost:*", "http://127.0.0.1:*", "https://*.example.org", "app://x", ""]
)


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:3001",
        "http://localhost",
        "http://127.0.0.1:80",
        "https://a.example.org",
        "https://A.Example.org:443",
        "app://x",
        "http://gate:8080",
        "https://gate:8080",
    ],
)
def test_promise_28_who_is_listed_or_the_same_may_ask(origin: str) -> None:
    LOCAL.check(origin, "gate:8080")


LOOK_ALIKES = [
    "http://localhost:3000.evil.com",
    "http://localhost.evil.com",
    "http://localhost:",
    "http://localhost:1@evil.com",
    "http://localhost:999999",
    "http://localhost:*",
    "http://localhost:1/",
    "http://localhost:1?x",
    "http://localhost:1\\.evil.com",
    "http://localhost:1 ",
    "http://localhost:\u0661",
    "http://loc\u0430lhost:1",
    "http://localhost:1\u212a",
    "\u212attp://localhost:1",
    "http://127.0.0.1.evil.com:1",
    "http://127.0.0.1.:1",
    "http://2130706433:1",
    "https://localhost:3001",
    "https://a.example.org.evil.com",
    "https://a.example.org:444",
    "https://a.b.example.org",
    "https://evil.com/.example.org",
    "https://evilexample.org",
    "https://.example.org",
    "https://example.org",
    "http://a.example.org",
    "http://gate",
    "http://gate:80800",
    "http://gate:8080@evil.com",
    "http://gate:8080.evil.com",
    "http://evil.com",
    "file://",
    "null",
    "NULL",
    "",
    "http://",
    "x" * 5_000,
]


@pytest.mark.parametrize("origin", LOOK_ALIKES)
def test_promise_28_nobody_else_may_ask_however_alike_they_look(origin: str) -> None:
    with pytest.raises(Forbidden) as denied:
        LOCAL.check(origin, "gate:8080")
    assert denied.value.facts == {"reason_code": "origin_not_allowed"}


@pytest.mark.parametrize("host", ["", "a@gate:8080", "gate:8080/", "*", "gate:", "[::1"])
def test_a_host_that_is_none_is_the_same_as_nothing(host: str) -> None:
    for origin in ("http://", f"http://{host}", "null", "http://gate:8080"):
        assert not is_same(origin, host, secure=False)


def test_a_page_without_tls_is_not_the_same_as_a_server_with_it() -> None:
    assert is_same("https://gate", "gate", secure=True)
    assert is_same("https://gate", "gate:443", secure=True)
    assert is_same("http://[::1]:8080", "[::1]:8080", secure=False)
    assert not is_same("http://gate", "gate", secure=True)


def test_a_star_stands_within_a_label_and_never_for_a_dot() -> None:
    origins = Origins(["https://app-*.example.org"])
    origins.check("https://app-1.example.org", "")
    with pytest.raises(Forbidden):
        origins.check("https://app-1.evil.example.org", "")


@pytest.mark.parametrize(
    "text", ["*", "localhost", "https://", "https://a/b", "https://a:b", "null", "https://a:*:*"]
)
def test_a_pattern_is_an_origin(text: str) -> None:
    with pytest.raises(Invalid):
        pattern_of(text)


def test_what_a_browser_sends_holds_no_star() -> None:
    assert origin_of("https://*.example.org") is None


def test_only_the_origin_that_asked_is_told() -> None:
    told = dict(LOCAL.told(b"http://localhost:3001"))
    assert told[b"access-control-allow-origin"] == b"http://localhost:3001"
    assert told[b"vary"] == b"Origin"


def test_a_preflight_never_repeats_what_is_no_header_name() -> None:
    told = dict(LOCAL.preflight(b"http://localhost:1", b"x-a, x-b"))
    assert told[b"access-control-allow-headers"] == b"x-a, x-b"
    odd = dict(LOCAL.preflight(b"http://localhost:1", b"x\r\nset-cookie: a"))
    assert odd[b"access-control-allow-headers"] == b""
