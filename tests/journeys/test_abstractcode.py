"""A client that nobody here wrote runs flows on this gateway and keeps its bundles, and notices no difference."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.journeys import flows
from tests.journeys.child import TOKEN
from tests.journeys.journey import Journey
from tests.support.abstractcode import Client, Ran, installed
from tests.support.drawing import a_bundle, a_flow, a_node, a_start, an_end
from tests.support.gateway import packed
from tests.support.openai_server import Answer, OpenAiServer

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("postgres", ["sqlite"], indirect=True)]
Abstractcode = Callable[..., Coroutine[Any, Any, Ran]]
ANSWER = "Paris."
PATIENT = ("--poll-s", "1")  # it asks again what was not taken in when it looks for the next time
ASKS = a_flow(
    {"start": a_start("prompt"), "ask": a_node("ask_user", "prompt", out="response"), "end": an_end("said")},
    "start -> ask -> end",
    "start.prompt => ask.prompt",
    "ask.response => end.said",
    id="asks",
)  # fmt: skip
CALLS = a_flow(
    {"start": a_start("prompt"), "sub": a_node("subflow", "prompt", out="said", subflowId="asks"), "end": an_end("said")},
    "start -> sub -> end",
    "start.prompt => sub.prompt",
    "sub.said => end.said",
    id="calls",
)  # fmt: skip


@pytest.fixture
async def model() -> AsyncIterator[OpenAiServer]:
    """A model that says one thing."""
    with OpenAiServer(answers=[Answer(ANSWER)]) as server:
        yield server


@pytest.fixture
async def abstractcode(journey: Journey, model: OpenAiServer, tmp_path: Path) -> Abstractcode:
    """The client, for a gateway that answers with the model."""
    address = f"PERDURE_PROVIDER_SCRIPTED_BASE_URL={model.base_url}"
    await asyncio.to_thread(installed)
    await journey.gateway.start("--env", address, "--env", "PERDURE_MODEL=scripted/scripted-1")
    client = Client(tmp_path, journey.gateway.url, TOKEN)

    async def run(*words: str, said: str = "") -> Ran:
        ran = await asyncio.to_thread(client.run, *words, said=said)
        assert (ran.code, ran.err) == (0, ""), ran
        return ran

    return run


def run_id_in(ran: Ran) -> str:
    """The id of the run that the client says it has started."""
    return ran.out.splitlines()[0].removeprefix("run_id=")


async def test_it_runs_a_flow_and_answers_its_question(
    abstractcode: Abstractcode, journey: Journey
) -> None:
    ran = await abstractcode(
        "gateway", "run", "ask-first", "--bundle-id", "ask-first",
        "--input-json", '{"prompt": "Shall I?"}', *PATIENT, said="yes\n",
    )  # fmt: skip
    assert "Shall I?" in ran.out
    assert ran.out.endswith("completed end  (emit_event)\n")
    records = await flows.records(journey.wire, run_id_in(ran))
    (resumed,) = [
        it["effect"] for it in records if it["effect"] and it["effect"]["type"] == "resume"
    ]
    assert resumed["payload"]["payload"] == {"response": "yes"}
    assert "yes" in json.dumps(await flows.output(journey.wire, run_id_in(ran)))


async def test_it_attaches_to_a_run_that_waits(
    abstractcode: Abstractcode, journey: Journey
) -> None:
    begun = await abstractcode("gateway", "run", "ask-first:ask-first", "--no-follow", "--param", "prompt=Now?")  # fmt: skip
    run = await flows.until_asked(journey.wire, run_id_in(begun))
    attached = await abstractcode("gateway", "attach", run["run_id"], *PATIENT, said="no\n")
    assert "Now?" in attached.out
    assert (await flows.until_ended(journey.wire, run["run_id"]))["status"] == "completed"
    again = await abstractcode("gateway", "attach", run["run_id"])
    records = await flows.records(journey.wire, run["run_id"])
    shown = [line.split()[1] for line in again.out.splitlines()]
    assert shown == [record["status"] for record in records], "every record, and none twice"


async def test_it_runs_an_agent_and_sees_its_child(
    abstractcode: Abstractcode, model: OpenAiServer, journey: Journey
) -> None:
    ran = await abstractcode("gateway", "run", "basic-agent:81795ea9", "--param", "prompt=Where?")
    output = await flows.output(journey.wire, run_id_in(ran))
    assert output["response"] == ANSWER
    assert model.counter == 1
    assert f"sub_run_id={output['scratchpad']['sub_run_id']}\n" in ran.out


async def test_it_answers_what_a_child_asks(
    abstractcode: Abstractcode, journey: Journey, tmp_path: Path
) -> None:
    (tmp_path / "nested.flow").write_bytes(packed(a_bundle(CALLS, ASKS, id="nested")))
    await abstractcode("workflow", "install", str(tmp_path / "nested.flow"))
    ran = await abstractcode(
        "gateway", "run", "nested:calls", "--param", "prompt=Who?", *PATIENT, said="me\n"
    )
    assert "Who?\n" in ran.out
    assert (await flows.output(journey.wire, run_id_in(ran)))["said"] == "me"


async def test_it_keeps_bundles(abstractcode: Abstractcode) -> None:
    ref, file = "basic-llm-test@0.0.0", str(flows.FLOWS / "basic-llm-test@0.0.0.flow")
    entry = f"{ref}:ec5a574d *"
    assert (await abstractcode("workflow", "install", file)).out == f"Installed on gateway: {ref}\n"
    again = await abstractcode("workflow", "install", file, "--overwrite", "--json")
    assert json.loads(again.out)["bundle_ref"] == ref
    assert entry in (await abstractcode("workflow", "list")).out
    told = await abstractcode("workflow", "info", "basic-llm-test", "--json")
    assert [it["id"] for it in json.loads(told.out)["entrypoints"][0]["inputs"]]
    assert (await abstractcode("workflow", "info", ref)).out.startswith(f"{ref}\n")
    removed = await abstractcode("workflow", "remove", ref)
    assert removed.out == f"Removed 1 bundle(s) from gateway for {ref}\n"
    assert entry not in (await abstractcode("workflow", "list", "--all")).out


async def test_it_takes_a_bundle_out_of_use_and_brings_it_back(abstractcode: Abstractcode) -> None:
    mark = "ask-first@1.0.0:ask-first * (deprecated)"
    put_by = await abstractcode("workflow", "deprecate", "ask-first", "--reason", "old")
    assert put_by.out == "Deprecated on gateway: ask-first:*\n"
    assert "ask-first@" not in (await abstractcode("workflow", "list")).out
    assert mark in (await abstractcode("workflow", "list", "--include-deprecated")).out
    back = await abstractcode("workflow", "undeprecate", "ask-first")
    assert back.out == "Undeprecated on gateway: ask-first:* (changed)\n"
    listed = (await abstractcode("workflow", "list")).out
    assert "ask-first@1.0.0:ask-first *" in listed
    assert mark not in listed


async def test_it_finds_entries_by_their_interface(abstractcode: Abstractcode) -> None:
    listed = await abstractcode(
        "workflow", "list", "--interface", "abstractcode.agent.v1", "--json"
    )
    found = {it["bundle_id"] for it in json.loads(listed.out)["entrypoints"]}
    assert found == {"basic-agent", "basic-llm"}
