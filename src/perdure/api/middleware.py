"""What stands before every route: who asks, from where, how much at once, and how large.

It is plain ASGI, so that a stream passes through it unchanged. What it refuses is answered as a
problem, like everything else that is refused.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import anyio
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perdure.api import problems
from perdure.api.collaborators import Collaborators, OpenRuntime
from perdure.api.lockout import Lockout
from perdure.api.metrics import Meters
from perdure.api.origins import Headers, Origins
from perdure.api.routing import PREFIX
from perdure.errors import GatewayError, TooLarge, TooMany, Unauthenticated
from perdure.identity.credentials import Credentials, bearer_of
from perdure.identity.principal import Principal
from perdure.ids import new_id
from perdure.runtimes.context import RuntimeContext

log: Final = structlog.get_logger("perdure.access")

SENT_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")  # of a request, if the client names one
PROTECTIVE: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]
LINGER_BYTES: Final = 8 * 1024 * 1024  # of a refused body, read on so that the refusal is heard
LINGER_S: Final = 2.0
NOT_KEPT: Final = (b"cache-control", b"no-store")


async def authenticate(headers: Mapping[bytes, bytes], credentials: Credentials) -> Principal:
    """The principal that the headers of a request show. Raises `Unauthenticated`."""
    sent = headers.get(b"authorization")
    token = None if sent is None else bearer_of(sent.decode("latin-1"))
    if token is None:
        raise Unauthenticated("A credential is needed: Authorization: Bearer <token>.")
    principal = await credentials.principal_of(token)
    if principal is None:
        raise Unauthenticated("The credential is not a good one.", shown=True)
    return principal


async def enter_runtime(principal: Principal, open_runtime: OpenRuntime) -> RuntimeContext:
    """The principal's own data plane; there is no way from here to another's. Raises `Unavailable`."""
    return await open_runtime(principal)


class Slots:
    """So many at once, and no more."""

    def __init__(self, most: int) -> None:
        """Have `most` of them."""
        self.most = most
        self.taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold one. Raises `TooMany` where none is left."""
        if self.taken >= self.most:
            raise TooMany("As many requests as the server takes are under way.")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


class Visit:
    """One request on its way through: what is counted of it, and what is added to its answer."""

    __slots__ = (
        "_bytes_max", "_receive", "_send", "_whole", "added", "bytes_in", "headers", "request_id", "scope",
        "status",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive, send: Send, bytes_max: int) -> None:
        """Take a request in, and name it."""
        self.scope, self._receive, self._send = scope, receive, send
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = _request_id(self.headers)
        self.status = 500
        self.bytes_in = 0
        self._bytes_max = bytes_max
        self._whole = False  # whether the body was read to its end
        self.added: Headers = [(b"x-request-id", self.request_id.encode()), *PROTECTIVE]
        scope.setdefault("state", {})["request_id"] = self.request_id

    async def receive(self) -> Message:
        """The next piece of the body. Raises `TooLarge` when it is too much."""
        message = await self._next()
        self.check_size(self.bytes_in)
        return message

    async def _next(self) -> Message:
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send on, with what every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.status >= 400:
                await self._linger()
            message["headers"] = _with(message.get("headers", ()), self.added)
        await self._send(message)

    async def _linger(self) -> None:
        """Read on where the answer is the end of a connection that still brings a body.

        A connection that is closed with bytes unread is reset, and the answer on it lost.
        """
        last = b"close" in self.headers.get(b"connection", b"").lower()
        last = last or self.scope.get("http_version") == "1.0"
        if not last or b"expect" in self.headers:
            return
        with anyio.move_on_after(LINGER_S):
            while not self._whole and self.bytes_in < LINGER_BYTES + self._bytes_max:
                await self._next()

    def check_size(self, size: int) -> None:
        """Raises `TooLarge` for a body of so many bytes."""
        if size > self._bytes_max:
            raise TooLarge(
                f"The body is larger than {self._bytes_max} bytes.", bytes_max=self._bytes_max
            )


class Gate:
    """The one way in."""

    def __init__(
        self, app: ASGIApp, collaborators: Collaborators, public: frozenset[str], meters: Meters
    ) -> None:
        """Stand before `app`. Below the API's prefix only the paths of `public` need no credential."""
        settings = collaborators.settings
        self._app, self._public, self._meters = app, public, meters
        self._collaborators, self._settings = collaborators, settings
        self._origins = Origins(settings.allowed_origins)
        self._requests, self._streams = (
            Slots(settings.requests_at_once),
            Slots(settings.streams_at_once),
        )
        meters.streams.set_function(lambda: self._streams.taken)
        self._lockout = Lockout(
            collaborators.clock, settings.lockout_after, settings.lockout_base_s, settings.lockout_max_s
        )  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = Visit(scope, receive, send, self._bytes_max(scope["path"]))
        began = self._collaborators.clock.monotonic()
        try:
            await self._pass(visit)
        except GatewayError as refused:
            await problems.answer_to(refused, visit.request_id)(scope, visit.receive, visit.send)
        finally:
            self._note(visit, self._collaborators.clock.monotonic() - began)

    async def _pass(self, visit: Visit) -> None:
        if await self._answered_at_once(visit):
            return
        slots = self._streams if visit.scope["path"].endswith("/ledger/stream") else self._requests
        with slots.one():
            visit.scope["state"]["principal"] = await self._who(visit)
            length = visit.headers.get(b"content-length", b"0")
            visit.check_size(int(length) if length.isdigit() else 0)
            await self._app(visit.scope, visit.receive, visit.send)

    async def _answered_at_once(self, visit: Visit) -> bool:
        """Look where the request comes from; answer it here if its browser only asks whether it may."""
        origin = visit.headers.get(b"origin")
        if origin is None:
            return False
        self._origins.check(
            origin.decode("latin-1"), visit.headers.get(b"host", b"").decode("latin-1")
        )
        asked = visit.headers.get(b"access-control-request-method")
        if visit.scope["method"] != "OPTIONS" or asked is None:
            visit.added = [*visit.added, *self._origins.told(origin)]
            return False
        wanted = visit.headers.get(b"access-control-request-headers", b"")
        told = self._origins.preflight(origin, wanted)
        await visit.send({"type": "http.response.start", "status": 200, "headers": told})
        await visit.send({"type": "http.response.body", "body": b"OK"})
        return True

    async def _who(self, visit: Visit) -> Principal | None:
        """Who asks. Nobody may below the prefix, but where a path is public."""
        address = address_of(visit.scope, visit.headers, self._settings.trusted_proxies)
        try:
            principal = await authenticate(visit.headers, self._collaborators.credentials)
        except Unauthenticated as unknown:
            if unknown.facts.pop("shown", False):
                self._lockout.failed(address)
            if is_protected(visit.scope["path"]) and visit.scope["path"] not in self._public:
                raise
            return None
        self._lockout.succeeded(address)
        return principal

    def _bytes_max(self, path: str) -> int:
        settings = self._settings
        if path.endswith("/upload"):
            return settings.upload_bytes_max + settings.upload_slack_bytes
        return settings.body_bytes_max

    def _note(self, visit: Visit, seconds: float) -> None:
        """Count the request and log it, without anything that a person wrote."""
        scope = visit.scope
        route = getattr(scope.get("route"), "path", "")
        self._meters.answered(scope["method"], route, visit.status, seconds)
        if self._settings.access_logged:
            principal: Principal | None = scope["state"].get("principal")
            log.info(
                "request", request_id=visit.request_id, method=scope["method"], route=route or None,
                status=visit.status, ms=round(seconds * 1000, 2), bytes_in=visit.bytes_in,
                principal=None if principal is None else f"{principal.tenant}/{principal.user}",
            )  # fmt: skip


def is_protected(path: str) -> bool:
    """Whether a path lies below the API's prefix, whatever stands there."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def address_of(scope: Scope, headers: Mapping[bytes, bytes], proxies: int) -> str:
    """Where a request comes from: what the outermost proxy of ours saw, if there are any.

    Counted from the right, since everything further left is what the client wrote itself.
    """
    if proxies > 0:
        seen = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
        if len(seen) >= proxies and (address := seen[-proxies].strip()):
            return address
    client = scope.get("client")
    return client[0] if client else ""


def _request_id(headers: Mapping[bytes, bytes]) -> str:
    sent = headers.get(b"x-request-id", b"").decode("latin-1")
    return sent if SENT_ID.fullmatch(sent) else new_id()


def _with(headers: object, added: Headers) -> Headers:
    """The headers of an answer with ours; what the route set itself stays."""
    own: Headers = list(headers)  # type: ignore[call-overload]  # ASGI promises pairs of bytes
    names = {name for name, _ in own}
    more = [header for header in added if header[0] not in names]
    if NOT_KEPT[0] not in names:
        more.append(NOT_KEPT)
    return own + more
