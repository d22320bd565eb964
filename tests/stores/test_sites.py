"""Where a URL leads is read in one spelling, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.stores.sites import Site, Unreadable, address_of, site_of

PLAIN = [
    ("https://api.example.com/v1", "https://api.example.com", "/v1"),
    ("HTTP://Models.Internal:8000/v1/", "http://models.internal:8000", "/v1"),
    ("http://10.0.0.1:80", "http://10.0.0.1", ""),
    ("http://[2001:DB8:0::1]:8080/v1", "http://[2001:db8::1]:8080", "/v1"),
    ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example", ""),
    ("http://gpu_1/v1", "http://gpu_1", "/v1"),
]
TWO_FACED = [
    "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.1", "127.0.0.01", "0", "0x",
    "1.2.3.4.5", "256.1.1.1", "localhost.", "127.0.0.1.", "a..b", "", "-a.example", "a b", "a%00b",
    "%31%32%37.0.0.1", "[::1%lo]", "[fe80::1%25eth0]", "[127.0.0.1]", "[::1", "::g", "bücher.example",
    "①②⑦.0.0.1", "ⓛocalhost", "x" * 64 + ".example", "a." * 130 + "a",
]  # fmt: skip
NOT_PLAIN = [
    "ftp://host/", "file:///etc/passwd", "//host/x", "host/x", "http:/host", "http://", "http:///x",
    "http://user@host/", "http://user:pass@host/", "http://host\\@other/", "http://host?q=1",
    "http://host/#there", "http://host:0/", "http://host:65536/", "http://host:/", "http://host:x/",
    "http://host/a/../b", "http://host/./a", "http://ho\tst/", "http://host/\n", " http://host/",
    "javascript:alert(1)", "http://host/" + "a" * 2_000,
]  # fmt: skip


@pytest.mark.parametrize(("url", "origin", "path"), PLAIN)
def test_a_plain_address_has_one_spelling(url: str, origin: str, path: str) -> None:
    site, rest = address_of(url)
    assert (site.origin, rest) == (origin, path)
    assert address_of(site.origin + rest) == (site, rest)


@pytest.mark.parametrize("host", TWO_FACED)
def test_a_host_that_could_be_read_in_two_ways_is_not_read(host: str) -> None:
    with pytest.raises(Unreadable):
        site_of("http", host, 80)


@pytest.mark.parametrize("url", NOT_PLAIN)
def test_what_is_no_plain_web_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(Unreadable) as refused:
        address_of(url)
    assert len(url) < 8 or url not in str(refused.value)


def test_a_site_knows_the_address_that_it_is_written_as() -> None:
    assert str(Site("http", "::1", 80).address) == "::1"
    assert site_of("https", "0:0::FFFF:7F00:1", None).host == "::ffff:7f00:1"
    assert site_of("https", "example.com", None) == ("https", "example.com", 443)
    assert site_of("https", "example.com", None).address is None
    for url in ("http://[127.0.0.1]/", "http://[::1/", "http://::1/", "http://[fe80::1%25lo]/"):
        with pytest.raises(Unreadable):
            address_of(url)


@given(st.text(max_size=40))
def test_whatever_is_read_is_read_alike_again(text: str) -> None:
    try:
        site, path = address_of(f"http://{text}")
    except Unreadable:
        return
    assert address_of(site.origin + path) == (site, path)
    assert site.origin.isascii() and "@" not in site.origin
