"""The flow behind a workflow id: of an installed bundle, of one that is gone, and of what no bundle holds."""

from pathlib import Path
from typing import Any

import pytest

from perdure.ids import RunId, SessionId
from perdure.kernel.draft import born
from perdure.kernel.model import Birth, ProgramRef
from perdure.registry.feature import Feature
from perdure.stores.runs import Commit
from tests.support.builders import AT
from tests.support.gateway import FEATURES, Gateway, Options, a_gateway

pytestmark = pytest.mark.anyio


async def flow_of(gateway: Gateway, workflow_id: str) -> Any:
    """The answer about a workflow id."""
    return await gateway.get(f"/workflows/{workflow_id}/flow")


async def test_a_flow_of_an_installed_bundle_is_shown_as_the_bundle_shows_it(
    gateway: Gateway,
) -> None:
    told = (await flow_of(gateway, "ask@1.0.0:main")).json()
    shown = (await gateway.get("/bundles/ask/flows/main")).json()
    assert told == {**shown, "source": "bundle"}


async def test_a_flow_of_a_bundle_that_is_gone_is_shown_by_its_runs(gateway: Gateway) -> None:
    shown = (await flow_of(gateway, "straight@1.0.0:main")).json()
    await gateway.start("straight:main")
    await gateway.client.delete("/api/gateway/bundles/straight")
    assert (await flow_of(gateway, "straight@1.0.0:main")).json() == shown


async def test_what_nothing_is_known_of_is_not_there(gateway: Gateway) -> None:
    for workflow_id in ("nope", "ask@1.0.0:nope", "ask@2:main", "__catalog__"):
        answer = await flow_of(gateway, workflow_id)
        assert (answer.status_code, answer.json()["code"]) == (404, "flow_not_found")


async def test_a_program_that_no_bundle_holds_is_drawn_by_its_feature(tmp_path: Path) -> None:
    sketch = Feature(
        name="sketch", drawings={"echo": lambda birth, cells: {"nodes": [birth.id, *cells]}}
    )
    async with a_gateway(tmp_path, Options(features=(*FEATURES, sketch), runs=False)) as gateway:
        for workflow_id, kind in (("scheduled:1", "echo"), ("other:1", "unknown")):
            birth = Birth(
                id=RunId(f"run-{kind}"), workflow_id=workflow_id, program=ProgramRef(kind, None, "echo"),
                created_at=AT, root_id=RunId(f"run-{kind}"), session_id=SessionId("s"),
            )  # fmt: skip
            await gateway.runtime.plane.runs.commit(Commit(born(birth, {"in/steps": 1})))
        told = (await flow_of(gateway, "scheduled:1")).json()
        assert told == {
            "workflow_id": "scheduled:1", "flow": {"nodes": ["run-echo", "in/steps"]}, "source": "dynamic",
        }  # fmt: skip
        assert (await flow_of(gateway, "other:1")).status_code == 404
