"""`compact_memory`: which run of a schedule's tree is meant, and what becomes of it over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from perdure.errors import Conflict, RunNotFound, Unfit
from perdure.features import flows, schedules
from perdure.features.models.feature import models_feature
from perdure.ids import RunId
from perdure.kernel.model import Run
from perdure.services import compactions
from perdure.services.replays import replay
from tests.support.drawing import a_bundle, a_flow, a_node, a_start, an_end
from tests.support.gateway import Gateway, Options, a_gateway
from tests.support.models import config_for, scripted
from tests.support.openai_server import Answer, OpenAiServer

pytestmark = pytest.mark.anyio

TALK = a_flow(
    {"start": a_start("context"), "inner": a_node("subflow", "context", subflowId="inner"), "end": an_end()},
    "start -> inner -> end", "start.context => inner.context", id="main",
)  # fmt: skip
INNER = a_flow(
    {"start": a_start("context"), "ask": a_node("ask_user", "prompt", defaults={"prompt": "?"}), "end": an_end()},
    "start -> ask -> end", id="inner",
)  # fmt: skip
MESSAGES: list[Any] = [{"role": "user", "content": f"said {n}"} for n in range(10)]
WAITS = {"bundle_id": "talk", "flow_id": "inner", "interval": "1h", "input_data": {"context": {"messages": MESSAGES}}}  # fmt: skip


@pytest.mark.parametrize(
    "payload",
    [{"preserve_recent": -1}, {"preserve_recent": True}, {"preserve_recent": 1.5}, {"compression_mode": "whole"},
     {"compression_mode": None}, {"focus": 1}, {"focus": "x" * 2_001}, {"target_run_id": []}],
)  # fmt: skip
def test_what_no_compaction_could_be_is_refused(payload: Any) -> None:
    with pytest.raises(Unfit):
        compactions.check(payload)


def test_every_term_may_be_left_out_or_said() -> None:
    compactions.check({})
    compactions.check({"preserve_recent": 0, "compression_mode": "heavy", "focus": "x", "target_run_id": None})  # fmt: skip


@pytest.fixture
def server() -> Any:
    """A model that sums up."""
    with scripted(Answer("they talked")) as it:
        yield it


@pytest.fixture
async def gateway(tmp_path: Path, server: OpenAiServer) -> AsyncIterator[Gateway]:
    """A gateway with that model, and a flow that talks, by itself or as a part of another."""
    features = (flows.FEATURE, schedules.FEATURE, models_feature(config_for(server), None))
    async with a_gateway(tmp_path, Options(features=features)) as one:
        await one.install(a_bundle(TALK, INNER, id="talk"))
        yield one


async def scheduled(gateway: Gateway, **changes: Any) -> tuple[str, str]:
    """A schedule whose first run waits for a person: both ids."""
    answer = await gateway.post("/runs/schedule", {**WAITS, **changes})
    assert answer.status_code == 200, answer.text
    schedule: str = answer.json()["run_id"]
    return schedule, await _waiting_child(gateway, schedule)


async def _waiting_child(gateway: Gateway, parent: str) -> str:
    """The run that the parent has begun, as soon as it waits (a parent waits before its child does)."""
    query = {"status": "waiting", "parent_run_id": parent}
    with anyio.fail_after(30):
        while not (items := (await gateway.get("/runs", params=query)).json()["items"]):
            await anyio.sleep(0.01)
    run_id: str = items[0]["run_id"]
    return run_id


async def test_the_memory_of_a_run_is_compacted_and_its_past_still_has_all(
    gateway: Gateway, server: OpenAiServer
) -> None:
    schedule, run_id = await scheduled(gateway)
    before = (await gateway.get(f"/runs/{run_id}")).json()["ledger_len"]
    payload = {"preserve_recent": 4, "compression_mode": "light", "focus": "who"}
    assert (await gateway.command(schedule, "compact_memory", payload=payload)).status_code == 200
    with anyio.fail_after(30):
        while (now := await _cells(gateway, run_id)).get("ctl/messages") != 5:
            await anyio.sleep(0.01)
    assert now["msg/0"]["content"].endswith("they talked")
    assert [now[f"msg/{n}"] for n in range(1, 5)] == MESSAGES[-4:]
    then = await _cells(gateway, run_id, seq=before)
    assert [then[f"msg/{n}"] for n in range(10)] == MESSAGES
    assert "said 5" in server.requests[0]["messages"][-1]["content"]
    summary = (await gateway.get(f"/runs/{run_id}")).json()
    assert (summary["status"], summary["llm_calls"]) == ("waiting", 1)
    told = (await gateway.get(f"/commands/compact_memory-{schedule}")).json()
    assert (told["state"], told["run_id"]) == ("applied", run_id)
    assert (await replay(gateway.runtime, RunId(run_id))).difference is None
    again = await gateway.command(run_id, "compact_memory", payload={})
    assert (again.status_code, again.json()["reason"]) == (409, "nothing_to_compact")


async def _cells(gateway: Gateway, run_id: str, **query: Any) -> dict[str, Any]:
    cells: dict[str, Any] = (await gateway.get(f"/runs/{run_id}/state", params=query)).json()["cells"]  # fmt: skip
    return cells


async def meant(gateway: Gateway, named: str, **payload: Any) -> str:
    """The run that a command would be for."""
    runtime = gateway.runtime
    run: Run = (await runtime.plane.runs.load([RunId(named)]))[RunId(named)].run
    telling = runtime.registry.commands["compact_memory"]
    return (await compactions.target(runtime, run, payload, telling)).run.birth.id


async def test_any_run_of_the_tree_may_be_meant_and_of_a_schedule_it_is_the_newest(
    gateway: Gateway,
) -> None:
    schedule, outer = await scheduled(gateway, flow_id="main")
    inner = await _waiting_child(gateway, outer)
    assert await meant(gateway, schedule) == await meant(gateway, inner, target_run_id=outer) == outer  # fmt: skip
    assert await meant(gateway, inner) == await meant(gateway, schedule, target_run_id=inner) == inner  # fmt: skip
    assert await meant(gateway, inner, target_run_id=schedule) == outer


async def test_a_run_of_another_tree_is_not_there_and_one_that_ended_takes_no_word(
    gateway: Gateway,
) -> None:
    schedule, run_id = await scheduled(gateway)
    _, other = await scheduled(gateway)
    for target in (other, "nothing"):
        with pytest.raises(RunNotFound):
            await meant(gateway, schedule, target_run_id=target)
    await gateway.command(run_id, "cancel")
    await gateway.until(run_id, "cancelled")
    with pytest.raises(Conflict, match="has ended"):
        await meant(gateway, run_id)
    with pytest.raises(Conflict, match="takes no messages over"):
        await meant(gateway, schedule)


async def test_memory_is_compacted_in_schedules_alone_and_where_somebody_can(
    gateway: Gateway,
) -> None:
    alone = await gateway.start("talk:inner")
    with pytest.raises(Conflict, match="of none"):
        await meant(gateway, alone)
    schedule, _ = await scheduled(gateway)
    run = (await gateway.runtime.plane.runs.load([RunId(schedule)]))[RunId(schedule)].run
    with pytest.raises(Conflict, match="No feature"):
        await compactions.target(gateway.runtime, run, {}, None)
