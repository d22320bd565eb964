"""What routes ask for: an action, and by type who asks, their runtime, the request's own key."""

import re
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request

from perdure.api import sse
from perdure.api.collaborators import Collaborators
from perdure.api.middleware import authenticate, enter_runtime
from perdure.api.routing import Required, asking, collaborators_of
from perdure.errors import Invalid, Unauthenticated
from perdure.identity.principal import Principal
from perdure.runtimes.context import RuntimeContext

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
    return await enter_runtime(await principal_of(request), collaborators_of(request).open_runtime)


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
    headers, reader = dict(request.scope["headers"]), asking(request)

    async def still_good() -> bool:
        try:
            return await authenticate(headers, collaborators.credentials) == reader
        except Unauthenticated:
            return False

    settings = collaborators.settings
    return sse.Terms(
        frames=request.app.state.frames,
        recheck_s=settings.recheck_s,
        lifetime_s=settings.stream_lifetime_s,
        still_good=still_good,
        closing=collaborators.closing,
    )


Collaborating = Annotated[Collaborators, Depends(collaborating)]
CurrentPrincipal = Annotated[Principal, Depends(principal_of)]
CurrentRuntime = Annotated[RuntimeContext, Depends(runtime_of)]
StreamTerms = Annotated[sse.Terms, Depends(terms_of)]
NewCommand = Annotated[str | None, Depends(key_of)]
