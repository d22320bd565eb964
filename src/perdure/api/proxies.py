"""Where a request comes from: the address, the host and the scheme, as far as they can be believed.

What a client writes itself is never believed. What our own proxies wrote is: the last entries of
`X-Forwarded-For`, counted from the right. By default there are no proxies, and nothing is.
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

from starlette.types import Scope

from perdure.errors import Invalid

Network = IPv4Network | IPv6Network

LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
FORWARDING: Final = (b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip")  # fmt: skip
ADDRESS_LETTERS_MAX: Final = 64  # of what a proxy wrote
HOPS_MAX: Final = 32  # of `X-Forwarded-For`; a longer way is nobody's
SHARED_BITS: Final = 64  # of an IPv6 address: whoever has one such network has all of it


class Seen(NamedTuple):
    """Where a request came from and what it asked for, as the outermost of our proxies saw it."""

    address: str
    host: str
    secure: bool


class Proxies:
    """Our own proxies, by their number, by their addresses, or by both."""

    def __init__(self, count: int = 0, addresses: Iterable[str] = ()) -> None:
        """Believe `count` of them, and only those of `addresses` where there are any.

        Raises `Invalid` for what is neither an address nor a network.
        """
        self._count = count
        self._networks = [network_of(text) for text in addresses]
        self._none = not (count or self._networks)

    def seen(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Seen:
        """Where a request comes from."""
        client = scope.get("client")
        peer = client[0] if client else ""
        host = headers.get(b"host", b"").decode("latin-1")
        secure = scope.get("scheme") == "https"
        if self._none:
            return Seen(peer, host, secure)
        hops = _listed(scope, b"x-forwarded-for")[-HOPS_MAX:]
        number = self._number_of(peer, hops)
        if number == 0:
            return Seen(peer, host, secure)
        sent_host = _from_right(_listed(scope, b"x-forwarded-host"), number)
        sent_scheme = _from_right(_listed(scope, b"x-forwarded-proto"), number).lower()
        return Seen(
            address=_plain(hops[-number])[:ADDRESS_LETTERS_MAX],
            host=sent_host or host,
            secure=sent_scheme == "https" if sent_scheme else secure,
        )

    def _number_of(self, peer: str, hops: Sequence[str]) -> int:
        """How many proxies of ours the request passed; 0 where it came around them."""
        number, address = 0, peer
        most = self._count or len(hops)
        while number < min(most, len(hops)) and self._is_ours(address):
            number += 1
            address = hops[-number]
        if self._count and number < self._count:
            return 0
        return number

    def _is_ours(self, address: str) -> bool:
        if not self._networks:
            return True
        try:
            found = ip_address(_plain(address))
        except ValueError:
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network for network in self._networks)


def network_of(text: str) -> Network:
    """The addresses that a setting means by one address, or by a network. Raises `Invalid`."""
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        raise Invalid(
            f"{text!r} is no address and no network, such as 10.0.0.1 or 10.0.0.0/8"
        ) from None


def neighbourhood_of(address: str) -> str:
    """The address, or of IPv6 the network that one subscriber has to choose addresses from."""
    if ":" not in address:
        return address
    try:
        network = ip_network((address.partition("%")[0], SHARED_BITS), strict=False)
    except ValueError:
        return address
    return str(network)


def is_at_home(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request comes from this machine, by a name of this machine, and through no proxy.

    A page of another site that got its own name resolved to loopback comes by that name.
    """
    host = headers.get(b"host", b"").decode("latin-1").lower()
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name not in LOCAL_NAMES or any(it in headers for it in FORWARDING):
        return False
    client = scope.get("client")
    try:
        return client is not None and ip_address(client[0]).is_loopback
    except ValueError:
        return False


def _listed(scope: Scope, name: bytes) -> list[str]:
    """The entries of a header that may stand in several lines, in their order (RFC 9110 §5.3)."""
    lines = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return [part.strip() for line in lines for part in line.split(",")]


def _from_right(entries: Sequence[str], number: int) -> str:
    """The entry that the outermost of `number` proxies wrote, where each adds one or the last sets one."""
    return entries[-min(number, len(entries))] if entries else ""


def _plain(address: str) -> str:
    """An address without the port that some proxies write to it."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
