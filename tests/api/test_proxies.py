"""A forwarded address, host or scheme is believed only as far as our own proxies wrote it."""

from typing import Any

import pytest

from perdure.api.proxies import Proxies, Seen, is_at_home, neighbourhood_of, network_of
from perdure.errors import Invalid

FORGED = {
    "x-forwarded-for": "6.6.6.6, 7.7.7.7, 8.8.8.8", "x-forwarded-host": "localhost",
    "x-forwarded-proto": "https", "forwarded": "for=6.6.6.6;proto=https;host=localhost", "x-real-ip": "6.6.6.6",
}  # fmt: skip


def seen(proxies: Proxies, peer: str, *headers: tuple[str, str], scheme: str = "http") -> Seen:
    """What a request from `peer` is seen to be."""
    sent = [(b"host", b"gate:8080"), *((a.encode(), b.encode()) for a, b in headers)]
    scope: dict[str, Any] = {"client": (peer, 1), "headers": sent, "scheme": scheme}
    return proxies.seen(scope, dict(sent))


@pytest.mark.parametrize(
    "proxies", [Proxies(), Proxies(4), Proxies(1, ["10.0.0.9"]), Proxies(0, ["10.9.0.0/16"])]
)
def test_promise_14_forged_forwarded_headers_change_nothing_unless_proxies_are_trusted(
    proxies: Proxies,
) -> None:
    assert seen(proxies, "10.0.0.1", *FORGED.items()) == Seen("10.0.0.1", "gate:8080", False)


def test_proxies_are_counted_from_the_right() -> None:
    addresses = [seen(Proxies(n), "10.0.0.1", *FORGED.items()).address for n in range(4)]
    assert addresses == ["10.0.0.1", "8.8.8.8", "7.7.7.7", "6.6.6.6"]


def test_lines_of_one_header_are_one_list() -> None:
    lines = [("x-forwarded-for", "6.6.6.6, 7.7.7.7"), ("x-forwarded-for", "8.8.8.8")]
    assert seen(Proxies(2), "10.0.0.1", *lines).address == "7.7.7.7"


def test_by_their_addresses_proxies_are_walked_from_the_right_until_one_is_not_ours() -> None:
    ours = Proxies(0, ["10.0.0.0/8", "::1", "8.8.8.8"])
    assert seen(ours, "10.0.0.1", *FORGED.items()).address == "7.7.7.7"
    assert seen(ours, "::ffff:10.0.0.1", *FORGED.items()).address == "7.7.7.7"
    assert seen(ours, "::1", ("x-forwarded-for", "8.8.8.8")).address == "8.8.8.8"
    assert seen(ours, "::1", ("x-forwarded-for", "no address")).address == "no address"
    assert seen(ours, "a path", *FORGED.items()).address == "a path"


def test_with_both_every_proxy_of_the_number_has_an_address_of_ours() -> None:
    ours = Proxies(2, ["10.0.0.0/8"])
    assert seen(ours, "10.0.0.1", ("x-forwarded-for", "6.6.6.6, 10.0.0.2")).address == "6.6.6.6"
    assert seen(ours, "10.0.0.1", ("x-forwarded-for", "6.6.6.6, 9.0.0.2")).address == "10.0.0.1"
    assert seen(ours, "9.0.0.1", ("x-forwarded-for", "6.6.6.6, 10.0.0.2")).address == "9.0.0.1"


def test_the_host_and_the_scheme_are_those_of_the_outermost_proxy() -> None:
    way = ("x-forwarded-for", "6.6.6.6, 7.7.7.7")
    one = [("x-forwarded-proto", "https"), ("x-forwarded-host", "a.example.org")]
    added = [("x-forwarded-proto", "http, https, http"), ("x-forwarded-host", "evil, a, b")]
    assert seen(Proxies(2), "10.0.0.1", way, *one) == Seen("6.6.6.6", "a.example.org", True)
    assert seen(Proxies(2), "10.0.0.1", way, *added) == Seen("6.6.6.6", "a", True)
    assert seen(Proxies(1), "10.0.0.1", way, scheme="https") == Seen("7.7.7.7", "gate:8080", True)
    down = seen(Proxies(1), "10.0.0.1", way, ("x-forwarded-proto", "http"), scheme="https")
    assert not down.secure


def test_an_address_is_read_with_or_without_its_port() -> None:
    for written, address in (("1.2.3.4:567", "1.2.3.4"), ("[::5]:567", "::5"), ("::5", "::5")):
        assert seen(Proxies(1), "10.0.0.1", ("x-forwarded-for", written)).address == address


def test_a_request_without_an_address_has_none() -> None:
    assert Proxies(1).seen({"headers": []}, {}) == Seen("", "", False)


@pytest.mark.parametrize("text", ["", "banana", "10.0.0.0/99", "10.0.0.1-9", "localhost"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        network_of(text)


def test_neighbours_of_one_subscriber_are_one() -> None:
    assert neighbourhood_of("2001:db8::1") == neighbourhood_of("2001:db8::ffff")
    assert neighbourhood_of("2001:db8::1") != neighbourhood_of("2001:db8:0:1::1")
    assert neighbourhood_of("10.0.0.1") == "10.0.0.1"
    assert neighbourhood_of("::x") == "::x"
    assert neighbourhood_of("fe80::1%eth0") == "fe80::/64"


def at_home(peer: str | None, *headers: tuple[bytes, bytes]) -> bool:
    """Whether such a request comes from this machine."""
    return is_at_home({"client": peer and (peer, 1)}, dict(headers))


def test_who_comes_from_this_machine_by_its_own_name_is_at_home() -> None:
    for host in (b"localhost:8080", b"127.0.0.1", b"[::1]:1", b"[::1]", b"LOCALHOST"):
        assert at_home("127.0.0.1", (b"host", host))


@pytest.mark.parametrize("host", [b"evil.com", b"localhost.evil.com:1", b"", b"localhost@evil"])
def test_a_name_of_somebody_else_that_resolves_to_this_machine_is_not(host: bytes) -> None:
    assert not at_home("127.0.0.1", (b"host", host))


def test_nor_is_what_a_proxy_on_this_machine_passes_on() -> None:
    local = (b"host", b"localhost")
    for name in (b"x-forwarded-for", b"via", b"forwarded", b"x-forwarded-host", b"x-real-ip"):
        assert not at_home("127.0.0.1", local, (name, b"x"))
    for peer in ("10.0.0.1", "a path", None):
        assert not at_home(peer, local)
