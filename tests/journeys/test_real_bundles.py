"""Bundles that were drawn for another gateway are sent to this one, run in it, and give what they gave there."""

from collections.abc import Iterator

import pytest

from tests.journeys import flows
from tests.journeys.journey import Journey
from tests.support.models import embedded_file
from tests.support.openai_server import MODEL, Answer, OpenAiServer

FIRST, SECOND = "Paris.", "Paris is in France."


@pytest.fixture
def model() -> Iterator[OpenAiServer]:
    """A server with two answers, which counts how often it was asked."""
    with OpenAiServer(answers=[Answer(FIRST), Answer(SECOND)]) as server:
        yield server


async def begin(journey: Journey, model: OpenAiServer, provider: str, bundle: str) -> None:
    """Start the gateway with an address for a provider, and send it a bundle."""
    address = f"PERDURE_PROVIDER_{provider.upper()}_BASE_URL={model.base_url}"
    await journey.gateway.start(
        "--env", address, "--env", f"PERDURE_MODEL={provider}/of-the-gateway"
    )
    assert (await flows.upload(journey.wire, bundle))["bundle_ref"] == bundle


def asked(model: OpenAiServer) -> list[list[str]]:
    """What was said in each conversation that the model was asked to go on with, without the system's part."""
    return [
        [turn["content"] for turn in request["messages"] if turn["role"] != "system"]
        for request in model.requests
    ]


@pytest.mark.anyio
async def test_one_call_of_the_model(journey: Journey, model: OpenAiServer) -> None:
    await begin(journey, model, "scripted", "basic-llm-test@0.0.0")
    run_id = await flows.start(journey.wire, "basic-llm-test@0.0.0", prompt="Where?")
    output = await flows.output(journey.wire, run_id)
    assert (output["response"], output["success"]) == (FIRST, True)
    assert output["meta"]["schema"] == "abstractflow.llm_call.v1.meta"
    assert (output["meta"]["provider"], output["meta"]["model"]) == ("scripted", MODEL)
    assert asked(model) == [["Where?"]]
    assert model.requests[0]["model"] == "of-the-gateway"


@pytest.mark.anyio
async def test_an_agent_that_tells_what_it_is_about(journey: Journey, model: OpenAiServer) -> None:
    await begin(journey, model, "lmstudio", "basic-agent@0.0.1")
    run_id = await flows.start(journey.wire, "basic-agent@0.0.1", prompt="Where?")
    output = await flows.output(journey.wire, run_id)
    assert (output["response"], output["success"]) == (FIRST, True)
    assert output["meta"]["schema"] == "abstractcode.agent.v1.meta"
    assert output["meta"]["iterations"] == 1
    assert asked(model) == [["Where?"]]
    assert model.requests[0]["model"] == "qwen/qwen3-next-80b", "the one that the bundle pins"
    agent = await journey.wire.summary(output["scratchpad"]["sub_run_id"])
    assert (agent["parent_run_id"], agent["status"]) == (run_id, "completed")
    assert agent["workflow_id"] == "visual_react_agent_basic_agent_0_0_1_81795ea9_node_2"
    assert await flows.statuses(journey.wire, run_id) == ["Thinking...", "Done"]


@pytest.mark.anyio
async def test_a_conversation_that_goes_on_until_it_is_ended(
    journey: Journey, model: OpenAiServer
) -> None:
    wire = journey.wire
    await begin(journey, model, "openai", "basic-followup@dev")
    run_id = await flows.start(wire, "basic-followup@dev", prompt="Where?")
    first = await flows.until_asked(wire, run_id)
    assert first["waiting"]["prompt"].startswith("What should I do next?")
    await flows.answer(wire, "more", first, "more")
    second = await flows.until_asked(wire, run_id, after=first["ledger_len"] + 1)
    await flows.answer(wire, "ok", second, "ok")
    assert await flows.output(wire, run_id) == {"response": SECOND, "success": True}
    assert asked(model) == [["Where?"], ["Where?", FIRST, "more"]]
    assert {request["model"] for request in model.requests} == {"gpt-5-mini"}


@pytest.mark.anyio
async def test_a_provider_without_an_address_is_told_and_no_other_asked(
    journey: Journey, model: OpenAiServer
) -> None:
    await begin(journey, model, "openai", "basic-agent@0.0.1")  # which pins lmstudio
    run_id = await flows.start(journey.wire, "basic-agent@0.0.1", prompt="Where?")
    run = await flows.until_ended(journey.wire, run_id)
    assert run["status"] == "failed"
    assert "provider_not_configured" in run["error"]
    assert "PERDURE_PROVIDER_LMSTUDIO_BASE_URL" in run["error"]
    assert model.counter == 0


@pytest.mark.anyio
@pytest.mark.parametrize("postgres", ["sqlite"], indirect=True)
@pytest.mark.timeout(300)
async def test_the_embedded_model_answers_where_none_is_named(journey: Journey) -> None:
    folder = embedded_file().parent
    await journey.gateway.start("--set", "embedded_model=true", "--set", f"models_dir={folder}")
    await flows.upload(journey.wire, "basic-llm-test@0.0.0")
    question = "What is the capital of France?"
    run_id = await flows.start(journey.wire, "basic-llm-test@0.0.0", prompt=question)
    output = await flows.output(journey.wire, run_id)
    assert (output["success"], output["meta"]["provider"]) == (True, "embedded")
    assert "Paris" in output["response"]
