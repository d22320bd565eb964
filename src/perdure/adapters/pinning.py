"""Connections that go where was checked: look up, check every address, connect to one of them.

The name goes on in the `Host` header and in the TLS handshake; only the connection is made by
address. So a name that means something else a moment later changes nothing.
"""

import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address
from socket import IPPROTO_TCP, SOCK_STREAM
from typing import Final, Protocol

import anyio
import httpcore2
import httpx2

from perdure.adapters.addresses import Address, AddressRules, Refused
from perdure.stores.sites import Site, Unreadable, site_of


class PoolLimits(Protocol):
    """How many connections a pool opens, and how many it keeps, for how long, when they are not used."""

    @property
    def connections_max(self) -> int:
        """Open at once."""
        ...

    @property
    def connections_kept(self) -> int:
        """Kept for the next call."""
        ...

    @property
    def kept_s(self) -> float:
        """How long one is kept."""
        ...


Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses that a name stands for, as texts. Raises `OSError` where it stands for none."""

ADDRESSES_MAX: Final = 8  # of one name that are tried


async def look_up(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a name."""
    found = await anyio.getaddrinfo(host, port, type=SOCK_STREAM, proto=IPPROTO_TCP)
    return [str(where[0]) for *_, where in found]


def pinned(
    limits: PoolLimits, context: ssl.SSLContext, rules: AddressRules, resolve: Resolve
) -> httpx2.AsyncBaseTransport:
    """A transport whose every connection goes to an address that `rules` let through."""
    return _Transport(limits, context, _Pinned(rules, resolve))


def unpinned(limits: PoolLimits, context: ssl.SSLContext) -> httpx2.AsyncBaseTransport:
    """A transport that checks no address."""
    return _Transport(limits, context, httpcore2.AnyIOBackend())


class _Transport(httpx2.AsyncHTTPTransport):
    """The library's transport over a pool with another way to connect, which it has no argument for."""

    def __init__(
        self, limits: PoolLimits, context: ssl.SSLContext, backend: httpcore2.AsyncNetworkBackend
    ) -> None:
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context, max_connections=limits.connections_max,
            max_keepalive_connections=limits.connections_kept, keepalive_expiry=limits.kept_s,
            network_backend=backend,
        )  # fmt: skip


class _Pinned(httpcore2.AsyncNetworkBackend):
    """Connects by address, and only to addresses that were checked."""

    def __init__(self, rules: AddressRules, resolve: Resolve) -> None:
        self._rules = rules
        self._resolve = resolve
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:  # fmt: skip
        try:
            with anyio.fail_after(timeout):
                return await self._connected(host, port, timeout, socket_options)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout from error

    async def _connected(
        self, host: str, port: int, timeout: float | None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None,
    ) -> httpcore2.AsyncNetworkStream:  # fmt: skip
        addresses = await self._addresses(host, port)
        failed = httpcore2.ConnectError("the name stands for no address")
        for address in addresses[:ADDRESSES_MAX]:
            try:
                return await self._backend.connect_tcp(
                    str(address), port, timeout, None, socket_options
                )
            except httpcore2.ConnectError as error:
                failed = error
        raise failed

    async def _addresses(self, host: str, port: int) -> Sequence[Address]:
        """Every address of the host; if one of them is closed, none is reached."""
        try:
            site = site_of("http", host, port)  # the scheme opens nothing
        except Unreadable as error:
            raise Refused(str(error)) from None
        literal = site.address
        addresses = [literal] if literal is not None else await self._looked_up(site)
        for address in addresses:
            self._rules.check(site, address)
        return addresses

    async def _looked_up(self, site: Site) -> list[Address]:
        try:
            texts = await self._resolve(site.host, site.port)
            return [ip_address(text) for text in dict.fromkeys(texts)]
        except OSError as error:
            raise httpcore2.ConnectError("the name stands for no address") from error
        except ValueError:  # a zone, or no address at all
            raise Refused("the name stands for what is no address") from None

    async def connect_unix_socket(self, *_: object, **__: object) -> httpcore2.AsyncNetworkStream:
        raise Refused("only the network is reached")

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)
