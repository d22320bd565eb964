"""The feature `deeds` as a gateway brings it, with the route that starts such runs."""

from typing import Any, Final

from pydantic import BaseModel

from perdure.api.deps import CurrentRuntime, require
from perdure.api.routing import PREFIX, resource
from perdure.clock import text_of
from perdure.errors import DuplicateCommand
from perdure.identity.access import ADMIN, rule
from perdure.ids import RunId, SessionId, new_id
from perdure.kernel.draft import born
from perdure.kernel.model import Birth, Deadline
from perdure.registry.feature import Feature
from perdure.services.runs import hash_of
from perdure.stores.runs import Commit, Request
from tests.journeys.deeds import KIND, REF, cells_of, effects_on, make

ACTION: Final = "deeds:start"
PATH: Final = f"{PREFIX}/test/deeds"


class StartDeeds(BaseModel):
    """A plan, and the key under which it is started once; the key is the label of its deeds too."""

    plan: list[Any]
    key: str
    session_id: str | None = None
    deadline: str | None = None


class StartedDeeds(BaseModel):
    """The run that does the plan."""

    run_id: str


routes: Final = resource("test", PATH)


@routes.post("", dependencies=[require(ACTION)])
async def start_deeds(body: StartDeeds, runtime: CurrentRuntime) -> StartedDeeds:
    """Start a run of deeds; the same again starts nothing new."""
    run_id = RunId(new_id())
    birth = Birth(
        id=run_id, workflow_id="test:deeds", program=REF, created_at=text_of(runtime.clock.now()),
        root_id=run_id, session_id=SessionId(body.session_id or run_id), prompt=body.key,
        deadline=None if body.deadline is None else Deadline(body.deadline, run_id),
    )  # fmt: skip
    request = Request(body.key, hash_of([body.plan, body.session_id]))
    try:
        decision = born(birth, cells_of(body.key, body.plan))
        await runtime.plane.runs.commit(Commit(decision, request=request))
    except DuplicateCommand as duplicate:
        return StartedDeeds(run_id=str(duplicate.facts["run_id"]))
    return StartedDeeds(run_id=run_id)


def feature(counter_url: str) -> Feature:
    """Deeds, done to one counter."""
    return Feature(
        name="deeds",
        effects=effects_on(counter_url),
        programs={KIND: make},
        routers=(routes,),
        actions={ACTION: rule(ADMIN)},
    )
