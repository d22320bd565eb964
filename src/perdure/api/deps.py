"""What routes ask for: an action, and by type who asks, their runtime, the request's own key."""

import re
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request

from perdure.api import sse
from perdure.api.acts import act_of
from perdure.api.collaborators import Collaborators
from perdure.api.middleware import enter_runtime
from perdure.api.rechecks import Rechecks
from perdure.api.routing import Required, asking, collaborators_of
from perdure.api.visit import Visit
from perdure.errors import Invalid, Unauthenticated, Unavailable
from perdure.identity.audit import DONE, Entry
from perdure.identity.principal import Principal
from perdure.runtimes.context import RuntimeContext
from perdure.runtimes.control import ControlContext
from perdure.runtimes.retention import Retention
from perdure.services.audit import Act

KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


def require(action: str) -> Any:
    """The one action that a route names; what the table does not have is denied."""
    return Depends(Required(action))


async def collaborating(request: Request) -> Collaborators:
    """The same, for a route that asks for it by type."""
    return collaborators_of(request)


async def principal_of(request: Request) -> Principal:
    """Who asks. Raises `Unauthenticated`."""
    principal = asking(request)
    if principal is None:
        raise Unauthenticated
    return principal


async def runtime_of(request: Request) -> RuntimeContext:
    """The runtime of whoever asks. Raises `Unauthenticated`, `Unavailable`."""
    open_runtime = collaborators_of(request).open_runtime
    runtime = await enter_runtime(await principal_of(request), open_runtime)
    visit_of(request).hold(runtime.use)
    return runtime


async def control_of(request: Request) -> ControlContext:
    """What every plane stands under. Raises `Unavailable` where this process has none of it."""
    control = collaborators_of(request).control
    if control is None:
        raise Unavailable("This process has no control store.")
    return control


async def retention_of(request: Request) -> Retention:
    """What keeps the runtimes that nobody has. Raises `Unavailable` where this process has one runtime alone."""
    retention = collaborators_of(request).retention
    if retention is None:
        raise Unavailable("This process keeps no runtimes of users who are gone.")
    return retention


async def doing(request: Request) -> Act:
    """What the request is on the record with; the route says in it what that is about."""
    return act_of(request)


async def entry_inside(request: Request) -> Entry | None:
    """What the plane is to keep of the request in the commit that it leads to."""
    act: Act | None = request.scope.get("state", {}).get("act")
    return None if act is None else act.ended(DONE)


def visit_of(request: Request) -> Visit:
    """The request as the gate saw it. Raises `Unauthenticated` where it came around the gate."""
    visit: Visit | None = request.scope.get("state", {}).get("visit")
    if visit is None:
        raise Unauthenticated
    return visit


async def key_of(
    idempotency_key: Annotated[
        str | None,
        Header(description="The client's own key: the same request under it is answered as before"),
    ] = None,
) -> str | None:
    """The key under which a request counts once, if the client gave one. Raises `Invalid`."""
    if idempotency_key is not None and not KEY.fullmatch(idempotency_key):
        raise Invalid("Idempotency-Key is 1 to 255 printable ASCII characters.")
    return idempotency_key


async def terms_of(request: Request) -> sse.Terms:
    """How streams are kept up for whoever asks, and ended when their credential is."""
    collaborators = collaborators_of(request)
    visit, reader = visit_of(request), asking(request)
    assert reader is not None, "a stream is asked for by somebody"
    rechecks: Rechecks = request.app.state.rechecks

    async def still_good() -> bool:
        return await rechecks.is_good(visit.headers, visit.seen, reader)

    settings, meter = collaborators.settings, collaborators.meter_of(reader)
    return sse.Terms(
        frames=request.app.state.frames,
        recheck_s=settings.recheck_s,
        lifetime_s=settings.stream_lifetime_s,
        still_good=still_good,
        closing=collaborators.closing,
        may_send=sse.send_all if meter is None else meter.sent,
    )


Collaborating = Annotated[Collaborators, Depends(collaborating)]
CurrentPrincipal = Annotated[Principal, Depends(principal_of)]
CurrentRuntime = Annotated[RuntimeContext, Depends(runtime_of)]
StreamTerms = Annotated[sse.Terms, Depends(terms_of)]
NewCommand = Annotated[str | None, Depends(key_of)]
CurrentControl = Annotated[ControlContext, Depends(control_of)]
CurrentRetention = Annotated[Retention, Depends(retention_of)]
CurrentAct = Annotated[Act, Depends(doing)]
EntryInside = Annotated[Entry | None, Depends(entry_inside)]
