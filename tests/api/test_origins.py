"""Pages of listed origins may ask, and those of the server itself; all others may not."""

import pytest

from perdure.api.origins import Origins
from perdure.errors import Forbidden

LOCAL = Origins(["http://localhost:*", "http://127.0.0.1:*", "https://*.example.org", ""])


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:3001", "http://127.0.0.1:80", "https://a.example.org", "http://gate:8080"],
)
def test_who_is_listed_or_the_same_may_ask(origin: str) -> None:
    LOCAL.check(origin, "gate:8080")


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "http://localhost:3000.evil.com",
        "http://localhost:",
        "http://localhost:1@evil.com",
        "https://localhost:3001",
        "https://a.example.org.evil.com",
        "https://evil.com/.example.org",
        "https://example.org",
        "http://evil.com",
        "null",
        "",
    ],
)
def test_nobody_else_may_ask(origin: str) -> None:
    with pytest.raises(Forbidden) as denied:
        LOCAL.check(origin, "gate:8080")
    assert denied.value.facts == {"reason_code": "origin_not_allowed"}


def test_without_a_host_nothing_is_the_same() -> None:
    with pytest.raises(Forbidden):
        Origins([]).check("http://", "")


def test_only_the_origin_that_asked_is_told() -> None:
    told = dict(LOCAL.told(b"http://localhost:3001"))
    assert told[b"access-control-allow-origin"] == b"http://localhost:3001"
    assert told[b"vary"] == b"Origin"


def test_a_preflight_never_repeats_what_is_no_header_name() -> None:
    told = dict(LOCAL.preflight(b"http://localhost:1", b"x-a, x-b"))
    assert told[b"access-control-allow-headers"] == b"x-a, x-b"
    odd = dict(LOCAL.preflight(b"http://localhost:1", b"x\r\nset-cookie: a"))
    assert odd[b"access-control-allow-headers"] == b""
