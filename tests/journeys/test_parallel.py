"""Branches beside each other: what they ask for is under way at once, and a death in the middle loses none of it."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from perdure.bundles.codec import pack_bundle
from perdure.kernel.values import Json
from tests.journeys import flows
from tests.journeys.gateway import GUARD_S
from tests.journeys.journey import Journey
from tests.journeys.wire import API, Wire
from tests.support.drawing import Drawn, a_bundle, a_flow, a_node, a_start, a_value, an_end
from tests.support.openai_server import Answer, OpenAiServer

BRANCHES = ("first", "second", "third")


@pytest.fixture
def model() -> Iterator[OpenAiServer]:
    """A model that never answers its first three callers; its further answers are numbered."""
    with OpenAiServer() as server:
        server.say(*(Answer(never=True) for _ in BRANCHES))
        yield server


def _asks(prompt: str) -> Drawn:
    asked = {"prompt": prompt, "provider": "lmstudio", "model": "script"}
    return a_node("llm_call", out="response", defaults=asked)


def _flow() -> Json:
    """Three branches that each ask a model, and a list of what they were told, in their order."""
    return a_flow(
        {"start": a_start(), "fork": a_node("parallel"), **{it: _asks(it) for it in BRANCHES},
         "all": a_value("make_array", *BRANCHES), "end": an_end("told")},
        "start -> fork", "fork:completed -> end", *(f"fork:then:{n} -> {it}" for n, it in enumerate(BRANCHES)),
        *(f"{it}.response => all.{it}" for it in BRANCHES), "all.result => end.told",
    )  # fmt: skip


async def _upload(wire: Wire) -> None:
    bundle = a_bundle(_flow(), id="fork")
    content = pack_bundle(bundle.manifest, bundle.flows, {})
    files = {"file": ("fork@1.0.0.flow", content, "application/octet-stream")}
    answer = await wire.ask("POST", f"{API}/bundles/upload", files=files)
    assert answer.status_code == 200, answer.text


async def _begin(journey: Journey, model: OpenAiServer) -> None:
    await journey.gateway.start("--env", f"PERDURE_PROVIDER_LMSTUDIO_BASE_URL={model.base_url}")


async def _until_asked(model: OpenAiServer, times: int) -> None:
    async with asyncio.timeout(GUARD_S):
        while model.counter < times:
            await asyncio.sleep(0.01)


def _keys(model: OpenAiServer) -> dict[str, set[str]]:
    """The keys under which each prompt was asked."""
    keys: dict[str, set[str]] = {}
    for call in model.calls:
        if call.method == "POST":
            keys.setdefault(_prompt(json.loads(call.body)), set()).add(
                call.headers["idempotency-key"]
            )
    return keys


def _prompt(request: Any) -> str:
    said = str(request["messages"][-1]["content"])
    return next(branch for branch in BRANCHES if said.endswith(branch))


@pytest.mark.anyio
async def test_three_slow_effects_are_under_way_at_once_and_survive_a_death(
    journey: Journey, model: OpenAiServer
) -> None:
    await _begin(journey, model)
    await _upload(journey.wire)
    run_id = await flows.start(journey.wire, "fork@1.0.0")
    await _until_asked(model, 3)  # none of them is ever answered: they are under way together
    before = _keys(model)
    assert before.keys() == set(BRANCHES)
    await journey.gateway.kill()
    await _begin(journey, model)
    output = await flows.output(journey.wire, run_id)
    last = {_prompt(asked): n for n, asked in enumerate(model.requests, 1)}
    assert output["told"] == [f"answer {last[branch]}" for branch in BRANCHES]
    assert _keys(model) == before
    assert model.counter == 6, "each was asked once more, under its own key"
    ledger = await flows.records(journey.wire, run_id)
    calls = [it for it in ledger if it["effect"] and it["effect"]["type"] == "llm_call"]
    assert [it["status"] for it in calls].count("completed") == 3
    assert [it["node_id"] for it in calls if it["status"] == "started"] == list(BRANCHES)
