"""Which addresses and ports a call may go to where somebody else chose the URL. No I/O.

Special ranges are listed here and not asked of the standard library, whose idea of what is public
changes from release to release (IANA's registries of special-purpose addresses).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final, NamedTuple

from perdure.stores.sites import PORTS, Site, Unreadable, site_of

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PORT_FIRST: Final = 1024  # below it live the services of machines, of which only the web is called
# Services that would take an HTTP request for some command of their own, or that answer anybody.
ODD_PORTS: Final = frozenset({
    1080, 1433, 1521, 1719, 1720, 1723, 2049, 2375, 2376, 2379, 2380, 3128, 3306, 3389, 3659, 4045,
    4190, 5060, 5061, 5432, 5672, 5900, 5984, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679,
    6697, 8086, 9042, 9092, 9160, 9200, 9300, 10080, 10250, 10255, 11211, 27017, 50070,
})  # fmt: skip
NOT_PUBLIC: Final = (
    "this is no public address; an operator can open it with PERDURE_EGRESS_ALLOW, and ports of this"
    " machine with PERDURE_EGRESS_LOOPBACK_PORTS"
)


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


LOOPBACK: Final = _networks("127.0.0.0/8", "::1/128")
_CLOSED: Final = _networks(
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)  # fmt: skip
_OPEN_IPV6: Final = _networks(
    "2000::/3"
)  # all else is not handed out, or stands for something else
# What the operator opens by name never means these: metadata and neighbours, everybody, nobody.
_NEVER_BY_NAME: Final = _networks(
    "0.0.0.0/8", "100.100.100.200/32", "168.63.129.16/32", "169.254.0.0/16", "192.0.0.192/32",
    "224.0.0.0/4", "240.0.0.0/4", "::/128", "fd00:ec2::/32", "fe80::/10", "ff00::/8",
)  # fmt: skip
_IPV4_AT_THE_END: Final = _networks("::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48")


class Refused(Exception):
    """A call may not go there. The text says why, and nothing of what a name stands for."""


class Opened(NamedTuple):
    """An opening that the operator made: a name or a network, at one port or at every usual one."""

    where: str | Network
    port: int | None

    def fits(self, site: Site, address: Address) -> bool:
        """Whether a call to `site`, at this address, goes through the opening."""
        if _odd(site.port) if self.port is None else site.port != self.port:
            return False
        if isinstance(self.where, str):
            return self.where == site.host and not _within(address, _NEVER_BY_NAME)
        return _within(address, (self.where,))


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What is reached besides public addresses: the operator's openings, and ports of this machine."""

    opened: tuple[Opened, ...] = ()
    loopback_ports: frozenset[int] = frozenset()

    def check(self, site: Site, address: Address) -> None:
        """Look at an address that the site's host stands for. Raises `Refused`."""
        inner = _embedded_in(address)
        if inner is not None:  # what translates it would go on to there
            self.check(site, inner)
        if site.port in self.loopback_ports and _within(address, LOOPBACK):
            return
        if any(it.fits(site, address) for it in self.opened):
            return
        if not _public(address):
            raise Refused(NOT_PUBLIC)
        if _odd(site.port):
            raise Refused(f"the port {site.port} is not open to calls from here")


def rules_of(openings: Iterable[str], loopback_ports: Iterable[int] = ()) -> AddressRules:
    """The rules of settings: hosts, addresses and networks, each perhaps with a port.

    Raises `ValueError` for what is none of them.
    """
    return AddressRules(tuple(_opening(it) for it in openings), frozenset(loopback_ports))


def _opening(text: str) -> Opened:
    where, port = text.strip().lower(), None
    if ("]:" in where) if where.startswith("[") else where.count(":") == 1:
        where, _, digits = where.rpartition(":")
        port = int(digits)
    where = where.strip("[]")
    try:
        return Opened(ip_network(where), port)
    except ValueError:
        try:
            return Opened(site_of("http", where, port).host, port)
        except Unreadable as error:
            raise ValueError(f"{text!r} is no host, no address and no network: {error}") from None


def _odd(port: int) -> bool:
    return port not in PORTS.values() and (port < PORT_FIRST or port in ODD_PORTS)


def _public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and not _within(address, _OPEN_IPV6):
        return False
    return not _within(address, _CLOSED)


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == it.version and address in it for it in networks)


def _embedded_in(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, IPv4Address):
        return None
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in LOOPBACK[1] or not _within(address, _IPV4_AT_THE_END):
        return None
    return IPv4Address(address.packed[-4:])
