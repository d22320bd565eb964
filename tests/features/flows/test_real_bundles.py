"""Three bundles that were made for another program run here, and give what they gave there."""

from perdure.bundles.bundle import Bundle
from perdure.bundles.codec import read_bundle
from perdure.kernel.model import Status, Wait
from tests.house.tree import ROOT
from tests.support.flowing import Flowing, said


def _bundle(name: str) -> Bundle:
    return read_bundle((ROOT / "tests/data/flows" / f"{name}.flow").read_bytes())


def test_one_call_of_the_model() -> None:
    run = Flowing(_bundle("basic-llm-test@0.0.0"), llm_call=said("answer 1")).start(
        {"prompt": "hello"}
    )
    output = run.output
    assert (output["response"], output["success"], output["scratchpad"]) == ("answer 1", True, None)
    assert output["meta"]["schema"] == "abstractflow.llm_call.v1.meta"
    (call,) = run.effects("llm_call")
    assert (call.payload["prompt"], call.payload["provider"]) == ("hello", None)


def test_an_agent_that_says_what_it_is_about() -> None:
    run = Flowing(_bundle("basic-agent@0.0.1"), llm_call=said("answer 1")).start(
        {"prompt": "hello"}
    )
    output = run.output
    assert (output["response"], output["success"]) == ("answer 1", True)
    assert (output["meta"]["schema"], output["meta"]["iterations"]) == (
        "abstractcode.agent.v1.meta",
        1,
    )
    statuses = [
        (effect.payload["name"], effect.payload["payload"]) for effect in run.effects("emit_event")
    ]
    assert statuses == [
        ("abstract.status", {"value": "Thinking..."}),
        ("abstract.status", {"value": "Done"}),
    ]
    assert output["scratchpad"]["sub_run_id"] in {life.run.id for life in run.children()}
    assert [life.run.status for life in run.children()] == [Status.COMPLETED] * 3


def test_pins_of_the_start_are_there_after_a_child_has_run() -> None:
    """The agent reads the prompt from the start, though a status flow ran in between."""
    run = Flowing(_bundle("basic-agent@0.0.1"), llm_call=said("x")).start(
        {"prompt": "hello", "system": "kind", "provider": "p"}
    )
    agent = next(life for life in run.children() if life.run.birth.program.kind == "react")
    given = {
        name: agent.cells[f"in/{name}"]
        for name in ("prompt", "system", "provider", "max_iterations")
    }
    assert given == {"prompt": "hello", "system": "kind", "provider": "p", "max_iterations": 20}
    assert "read_file" in agent.cells["in/tools"]
    assert agent.run.birth.workflow_id == "visual_react_agent_basic_agent_0_0_1_81795ea9_node_2"


def test_a_conversation_that_goes_on_until_it_is_ended() -> None:
    run = Flowing(_bundle("basic-followup@dev"), llm_call=said("answer 1", "answer 2")).start(
        {"prompt": "hello"}
    )
    wait = run.open_at("node-11")
    assert isinstance(wait.what, Wait)
    assert wait.what.prompt == "What should I do next? (Type stop/end/ok/good to finish)"
    run.answer("node-11", {"response": "more"})
    assert run.open_at("node-11").key == wait.key, "the same question, asked again"
    run.answer("node-11", {"response": " OK thanks"})
    assert run.output == {"response": "answer 2", "success": True}
    first, second = (effect.payload["messages"] for effect in run.effects("llm_call"))
    assert [turn["content"] for turn in first] == ["hello"]
    assert [turn["content"] for turn in second] == ["hello", "answer 1", "more"]
