"""Where a URL leads: a scheme, a host and a port, read in one spelling or refused. Pure.

A host that two programs could read in two ways is not read at all: numbers that stand for an
address, zones, trailing dots, names and passwords, letters outside ASCII.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, NamedTuple

PORTS: Final = {"http": 80, "https": 443}
URL_MAX: Final = 2_000

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*)",
    re.IGNORECASE,
)
_NAME: Final = re.compile(
    r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
NAME_MAX: Final = 253


class Unreadable(ValueError):
    """The text leads nowhere, or might lead to two places. It is not repeated in the message."""


class Site(NamedTuple):
    """A scheme, a host and a port. The host of an IPv6 address has no brackets."""

    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> str:
        """The site as text, without a port that goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if PORTS[self.scheme] == self.port else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The address that the host is written as, or `None` for a name."""
        return _address_in(self.host)


def site_of(scheme: str, host: str, port: int | None) -> Site:
    """The site of these parts; the host of an IPv6 address has no brackets. Raises `Unreadable`."""
    scheme, host = scheme.lower(), host.lower()
    if scheme not in PORTS:
        raise Unreadable("only http and https are spoken")
    port = PORTS[scheme] if port is None else port
    if not 0 < port < 65536:
        raise Unreadable("there is no such port")
    if ":" in host:
        return Site(scheme, _ipv6(host), port)
    if len(host) > NAME_MAX or not _NAME.fullmatch(host):
        raise Unreadable("the host is not written as a name or an address")
    if _NUMBER.fullmatch(host.rpartition(".")[2]) and _address_in(host) is None:
        raise Unreadable("an address is four decimal numbers between dots")
    return Site(scheme, host, port)


def address_of(url: str) -> tuple[Site, str]:
    """The site and the path of a plain web address: no password, no query, no fragment.

    Raises `Unreadable`.
    """
    found = _URL.fullmatch(url) if len(url) <= URL_MAX else None
    if found is None or "/../" in f"{found['path']}/" or "/./" in f"{found['path']}/":
        raise Unreadable(
            "this is no plain web address: http or https, a host, perhaps a port and a path"
        )
    host, port = found["host"], None if found["port"] is None else int(found["port"])
    if host.startswith("["):
        host = _ipv6(host[1:-1])
    return site_of(found["scheme"], host, port), found["path"].rstrip("/")


def _ipv6(host: str) -> str:
    address = _address_in(host)
    if address is None or address.version == 4:
        raise Unreadable("the host is no IPv6 address, or has a zone")
    return str(address)


def _address_in(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = IPv6Address(host) if ":" in host else IPv4Address(host)
    except AddressValueError:
        return None
    return None if isinstance(address, IPv6Address) and address.scope_id else address
