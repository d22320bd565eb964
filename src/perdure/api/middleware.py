"""What stands before every route: who asks, from where, how much at once, and how large.

It is plain ASGI, so that a stream passes through it unchanged. What it refuses is answered as a
problem, like everything else that is refused.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Final

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from perdure.api import problems
from perdure.api.acts import ENTER, REFUSALS
from perdure.api.callers import SAFE_METHODS, Callers, check_site
from perdure.api.collaborators import Collaborators, OpenRuntime
from perdure.api.metrics import Meters
from perdure.api.origins import Origins
from perdure.api.proxies import Proxies, is_at_home
from perdure.api.routing import PREFIX
from perdure.api.visit import Visit
from perdure.errors import Forbidden, GatewayError, TooMany, Unauthenticated
from perdure.identity.principal import Principal
from perdure.runtimes.context import RuntimeContext

log: Final = structlog.get_logger("perdure.access")

ATTACHMENTS: Final = f"{PREFIX}/attachments/upload"
IMPORT: Final = f"{PREFIX}/runs/import"
STRANGERS_SHARE: Final = 4  # of all requests at once, one in so many may be a stranger's
SIGN_IN: Final = f"{PREFIX}/session/login"


async def enter_runtime(principal: Principal, open_runtime: OpenRuntime) -> RuntimeContext:
    """The principal's own data plane; there is no way from here to another's. Raises `Unavailable`."""
    return await open_runtime(principal)


class Slots:
    """So many at once, and no more. Use as a context; it may be entered as often as there are slots."""

    def __init__(self, most: int) -> None:
        """Have `most` of them."""
        self.most = most
        self.taken = 0

    def __enter__(self) -> None:
        """Take one. Raises `TooMany` where none is left."""
        if self.taken >= self.most:
            raise TooMany("As many requests as the server takes are under way.")
        self.taken += 1

    def __exit__(self, *_raised: object) -> None:
        """Give it back."""
        self.taken -= 1


class Gate:
    """The one way in."""

    def __init__(
        self,
        app: ASGIApp,
        collaborators: Collaborators,
        callers: Callers,
        public: frozenset[str],
        meters: Meters,
    ) -> None:
        """Stand before `app`. The paths of `public` need no credential; none is looked at there."""
        settings = collaborators.settings
        self._app, self._public, self._meters = app, public, meters
        self._collaborators, self._settings, self._callers = collaborators, settings, callers
        self._origins = Origins(settings.allowed_origins)
        self._proxies = Proxies(settings.trusted_proxies, settings.proxy_addresses)
        self._requests, self._streams = (
            Slots(settings.requests_at_once),
            Slots(settings.streams_at_once),
        )
        # Of who shows nothing, and may send the body of a sign-in as slowly as they like.
        self._strangers = Slots(max(1, settings.requests_at_once // STRANGERS_SHARE))
        meters.streams.set_function(lambda: self._streams.taken)

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
            await self._record(visit, refused)
            await problems.answer_to(refused, visit.request_id)(scope, visit.receive, visit.send)
        finally:
            visit.leave()
            self._note(visit, self._collaborators.clock.monotonic() - began)

    async def _record(self, visit: Visit, refused: GatewayError) -> None:
        """Have a refusal on the record, unless it is of somebody who has shown nothing."""
        recorder = self._collaborators.recorder
        showed = not visit.headers.keys().isdisjoint((*self._callers.shown_by, b"cookie"))
        told = isinstance(refused, Forbidden) or (showed and isinstance(refused, REFUSALS))
        if recorder is not None and told:
            await recorder.refused(visit.scope, ENTER, refused)

    async def _pass(self, visit: Visit) -> None:
        visit.seen = self._proxies.seen(visit.scope, visit.headers)
        if visit.seen.secure and self._settings.hsts_s:
            visit.added.append(
                (b"strict-transport-security", b"max-age=%d" % self._settings.hsts_s)
            )
        visit.check_headers(self._callers.once)
        if b"origin" in visit.headers and await self._answered_at_once(visit):
            return
        streams = visit.scope["path"].endswith("/ledger/stream")
        with self._streams if streams else self._requests:
            await self._let_in(visit)
            length = visit.headers.get(b"content-length", b"0")
            visit.check_size(int(length) if length.isdigit() else 0)
            with self._counted(visit, streams=streams):
                await self._app(visit.scope, visit.receive, visit.send)

    def _counted(self, visit: Visit, *, streams: bool) -> AbstractContextManager[None]:
        """What counts what the principal has under way, where somebody counts; or what strangers send."""
        principal: Principal | None = visit.scope["state"]["principal"]
        if principal is None:
            safe = visit.scope["method"] in SAFE_METHODS
            return nullcontext() if safe else self._strangers
        meter = self._collaborators.meter_of(principal)
        if meter is None:
            return nullcontext()
        return meter.stream() if streams else meter.request()

    async def _answered_at_once(self, visit: Visit) -> bool:
        """Look where the request comes from; answer it here if its browser only asks whether it may."""
        origin = visit.headers[b"origin"]
        host, secure = visit.seen.host, visit.seen.secure
        self._origins.check(origin.decode("latin-1"), host, secure=secure)
        asked = visit.headers.get(b"access-control-request-method")
        if visit.scope["method"] != "OPTIONS" or asked is None:
            visit.added += self._origins.told(origin)
            return False
        wanted = visit.headers.get(b"access-control-request-headers", b"")
        told = self._origins.preflight(origin, wanted)
        await visit.send({"type": "http.response.start", "status": 200, "headers": told})
        await visit.send({"type": "http.response.body", "body": b"OK"})
        return True

    async def _let_in(self, visit: Visit) -> None:
        """Find out who asks, and whether they mean it. Nobody may below the prefix, but where a path is public."""
        path, state = visit.scope["path"], visit.scope["state"]
        state["visit"], state["principal"] = visit, None
        if path in self._public:
            if path == SIGN_IN:
                check_site(visit.scope["method"], visit.headers)
            return
        protected = is_protected(path)
        if not protected:
            state["at_home"] = self._settings.on_loopback and is_at_home(visit.scope, visit.headers)
        try:
            caller = await self._callers.find(visit.headers, secure=visit.seen.secure)
        except Unauthenticated:
            self._callers.failed(visit.headers, visit.seen)
            if protected:
                raise
            return
        if caller.csrf_digest is not None:
            self._callers.check_intent(caller, visit.scope["method"], visit.headers)
        state["principal"] = caller.principal

    def _bytes_max(self, path: str) -> int:
        settings = self._settings
        if path == ATTACHMENTS:
            return settings.attachment_bytes_max + settings.upload_slack_bytes
        if path.endswith("/upload") or path == IMPORT:
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
