"""`/admin/users/…/runs`: what admins read of another's data. Each read says why, and its subject sees it."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from perdure.api.deps import Collaborating, CurrentAct, require
from perdure.api.middleware import enter_runtime
from perdure.api.routing import PREFIX, answers, json_bytes, json_of, resource
from perdure.api.schemas import ledger as records
from perdure.api.schemas import runs as shown
from perdure.api.schemas.fields import TEXT_LETTERS_MAX, RunIdPath
from perdure.api.users import Meant, MeantUser
from perdure.identity.users import principal_of
from perdure.runtimes.context import RuntimeContext
from perdure.services import runs

router = resource("admin", f"{PREFIX}/admin/users/{{user_id}}")

REASON_LETTERS_MIN = 4


class Why(BaseModel):
    """Why an admin reads what is another's; it goes on record, and the other sees it."""

    reason: str = Field(min_length=REASON_LETTERS_MIN, max_length=TEXT_LETTERS_MAX)


class AskRuns(shown.ListRuns, Why):
    """Which of a user's runs to list, and why."""


class AskLedger(records.AskPage, Why):
    """Which records of a user's run to give, and why."""


@router.get("/runs", dependencies=[require("user:inspect")], responses=answers(shown.RunList, 404))
async def list_runs_of_user(
    asked: Annotated[AskRuns, Query()], about: MeantUser, act: CurrentAct, site: Collaborating
) -> Response:
    """List a user's runs, newest first."""
    act.about(target="runs", reason=asked.reason)
    runtime = await _runtime_of(about, site)
    with runtime.use:
        return json_of(shown.page_of(await runs.listed(runtime, asked.query())))


@router.get(
    "/runs/{run_id}",
    dependencies=[require("user:inspect")],
    responses=answers(shown.RunSummary, 404),
)
async def read_run_of_user(
    run_id: RunIdPath,
    asked: Annotated[Why, Query()],
    about: MeantUser,
    act: CurrentAct,
    site: Collaborating,
) -> Response:
    """Say where a run of a user stands."""
    act.about(target=run_id, reason=asked.reason)
    runtime = await _runtime_of(about, site)
    with runtime.use:
        return json_of(shown.summary_of(await runs.summary(runtime, run_id)))


@router.get(
    "/runs/{run_id}/ledger",
    dependencies=[require("user:inspect")],
    responses=answers(records.LedgerPage, 404),
)
async def read_ledger_of_user(
    run_id: RunIdPath,
    asked: Annotated[AskLedger, Query()],
    about: MeantUser,
    act: CurrentAct,
    site: Collaborating,
) -> Response:
    """Give the records of a user's run after `after`."""
    act.about(target=run_id, reason=asked.reason, ledger=True)
    runtime = await _runtime_of(about, site)
    with runtime.use:
        page = await runs.ledger(runtime, run_id, after=asked.after, limit=asked.limit)
    return json_bytes(records.page_bytes(page, asked.after, full=asked.detail == "full"))


async def _runtime_of(about: Meant, site: Collaborating) -> RuntimeContext:
    """The runtime of the user who is meant, for as long as the admin reads in it."""
    theirs = principal_of(about.user, fingerprint="", credential="")
    return await enter_runtime(theirs, site.open_runtime)
