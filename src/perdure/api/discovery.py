"""`/discovery`: what whoever asks can do here, as the access table and the registry have it."""

from fastapi import Request
from starlette.responses import Response

from perdure.api.contracts import contracts_of
from perdure.api.deps import Collaborating, CurrentPrincipal, require
from perdure.api.routing import PREFIX, answers, json_of, resource
from perdure.api.schemas import discovery as shown

router = resource("discovery", f"{PREFIX}/discovery")


@router.get("/tools", dependencies=[require("discovery:read")], responses=answers(shown.ToolList))
async def list_tools() -> Response:
    """List the tools that runs may call; no feature brings any yet."""
    return json_of({"items": []})


@router.get(
    "/capabilities",
    dependencies=[require("discovery:read")],
    responses=answers(shown.Capabilities),
)
async def read_capabilities(
    request: Request, principal: CurrentPrincipal, collaborators: Collaborating
) -> Response:
    """Say which contracts hold here for whoever asks, and where each is to be found."""
    found = contracts_of(request.app.state.actions, principal, collaborators)
    return json_of({"capabilities": {"contracts": found}})
