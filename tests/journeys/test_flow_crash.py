"""A flow that is killed while its model answers goes on where it was: the question is asked once more, and nothing is lost."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.journeys import flows
from tests.journeys.gateway import GUARD_S, Ended
from tests.journeys.journey import Journey
from tests.support.openai_server import Answer, OpenAiServer

BUNDLE = "basic-agent@0.0.1"
LONG = " ".join(f"word{n}" for n in range(2_000))
SHORT = "The whole answer."
PASSES_MAX = 60  # a flow of so few steps commits far less often


@pytest.fixture
def model() -> Iterator[OpenAiServer]:
    """A model without a script: its answers are numbered."""
    with OpenAiServer() as server:
        yield server


async def begin(journey: Journey, model: OpenAiServer, probe: str | None = None) -> None:
    """Start the gateway with the address of the model."""
    address = f"PERDURE_PROVIDER_LMSTUDIO_BASE_URL={model.base_url}"
    await journey.gateway.start("--env", address, probe=probe)


async def see(journey: Journey, run_id: str) -> None:
    """Take in the ledgers of the tree of a run, as they are now."""
    for run in await journey.wire.runs():
        for seq, record in enumerate(await journey.wire.ledger(run["run_id"]), 1):
            journey.witness.see(run["run_id"], seq, record)


async def calls_of(journey: Journey, run_id: str) -> list[Any]:
    """What the ledger of the agent says of its questions to the model."""
    output = await flows.output(journey.wire, run_id)
    records = await flows.records(journey.wire, output["scratchpad"]["sub_run_id"])
    return [it for it in records if it["effect"] and it["effect"]["type"] == "llm_call"]


async def check(journey: Journey, model: OpenAiServer, run_id: str) -> None:
    """Nothing that was shown has changed, the agent asked once, and what was asked again had the same key."""
    await see(journey, run_id)
    assert await flows.statuses(journey.wire, run_id) == ["Thinking...", "Done"]
    calls = await calls_of(journey, run_id)
    assert [call["status"] for call in calls] == ["started", "completed"]
    assert len({call["step_id"] for call in calls}) == 1
    keys = [call.headers["idempotency-key"] for call in model.calls]
    assert keys == [calls[0]["idempotency_key"]] * 2


@pytest.mark.anyio
async def test_killed_before_the_model_has_said_a_word(
    journey: Journey, model: OpenAiServer
) -> None:
    model.say(Answer(never=True), Answer(SHORT))
    await begin(journey, model)
    await flows.upload(journey.wire, BUNDLE)
    run_id = await flows.start(journey.wire, BUNDLE, prompt="Where?")
    async with asyncio.timeout(GUARD_S):
        while not model.counter:
            await asyncio.sleep(0.01)
    await see(journey, run_id)
    await journey.gateway.kill()
    await begin(journey, model)
    assert (await flows.output(journey.wire, run_id))["response"] == SHORT
    await check(journey, model, run_id)


@pytest.mark.anyio
async def test_killed_in_the_middle_of_the_answer(journey: Journey, model: OpenAiServer) -> None:
    model.say(Answer(LONG, piece_delay_s=0.01), Answer(SHORT))
    await begin(journey, model)
    await flows.upload(journey.wire, BUNDLE)
    run_id = await flows.start(journey.wire, BUNDLE, prompt="Where?")
    heard = await first_words(journey, run_id)
    assert heard
    assert LONG.startswith(heard)
    await see(journey, run_id)
    await journey.gateway.kill()
    await begin(journey, model)
    assert (await flows.output(journey.wire, run_id))["response"] == SHORT
    await check(journey, model, run_id)


async def first_words(journey: Journey, run_id: str) -> str:
    """What a reader of the stream hears first of what the model says."""
    async with (
        asyncio.timeout(GUARD_S),
        journey.wire.stream(run_id, 0, deltas=1) as frames,
    ):
        async for frame in frames:
            if frame.event == "delta":
                return str(json.loads(frame.data)["text"])
    raise AssertionError("the run ended without a word")


@pytest.mark.anyio
@pytest.mark.timeout(300)
@pytest.mark.parametrize("postgres", ["sqlite"], indirect=True)
@pytest.mark.parametrize("probe", ["after_commit", "after_act"])
async def test_killed_at_every_step_of_a_flow(
    probe: str, journey: Journey, model: OpenAiServer
) -> None:
    await begin(journey, model)
    await flows.upload(journey.wire, BUNDLE)
    await journey.gateway.kill()
    for nth in range(1, PASSES_MAX):
        asked = model.counter
        died = await live(journey, model, f"{probe}:{nth}")
        assert model.counter - asked <= 1 + died, "asked again without need"
        if not died:
            assert nth > 3
            return
    raise AssertionError("it never came to its end")


async def live(journey: Journey, model: OpenAiServer, probe: str) -> bool:
    """Have one run in a life that a probe may end, and one more life where it did; whether it did."""
    with suppress(Ended):  # the first pass may come before it answers
        await begin(journey, model, probe)
    running = asyncio.ensure_future(finish(journey, model, probe))
    dying = asyncio.ensure_future(journey.gateway.ended())
    both: set[asyncio.Future[Any]] = {running, dying}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    died = dying.done()
    if died:
        await begin(journey, model)
    await running
    dying.cancel()
    with suppress(ProcessLookupError):  # where the probe was faster
        await journey.gateway.kill()
    return died


async def finish(journey: Journey, model: OpenAiServer, key: str) -> None:
    """Have a run from its start to its end, over the gateway's death."""
    run_id = await flows.start(journey.wire, BUNDLE, key, prompt="Where?")
    output = await flows.output(journey.wire, run_id)
    assert output["response"] == f"answer {model.counter}"
    assert await flows.statuses(journey.wire, run_id) == ["Thinking...", "Done"]
