"""`/visualflows/code/simulate`: try out code as a flow would run it."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Response

from perdure.api.deps import CurrentRuntime, require
from perdure.api.routing import PREFIX, answers, json_of, resource
from perdure.features.code import schemas as shown
from perdure.features.code.sandbox.sandbox import Sandbox
from perdure.features.code.simulate import simulated
from perdure.identity.access import ADMIN, USER, Recorded, Rule, rule

ACTIONS: Final[Mapping[str, Rule]] = {
    "code:simulate": rule(USER, ADMIN, audited=True, recorded=Recorded.AFTER),
}


def routes(sandbox: Sandbox) -> APIRouter:
    """The route over one sandbox."""
    router = resource("visualflows", f"{PREFIX}/visualflows")

    @router.post(
        "/code/simulate",
        dependencies=[require("code:simulate")],
        responses=answers(shown.Simulated, body=True),
    )
    async def simulate_code(body: shown.Simulate, runtime: CurrentRuntime) -> Response:
        """Run a piece of code in the sandbox, and keep nothing of it. Its own errors are answers."""
        who = str(runtime.workspaces)  # as its flows, so that all that is theirs has one turn
        return json_of(await simulated(sandbox, body.wanted(), body.permissions, who))

    return router
