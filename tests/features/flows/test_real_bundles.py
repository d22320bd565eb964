"""Three bundles that were made for another program give here what they gave there; ours run as well."""

from perdure.bundles.bundle import Bundle
from perdure.bundles.codec import pack_files, read_bundle
from perdure.kernel.model import Status, Wait
from tests.house.tree import ROOT
from tests.support.clock import START
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


# --- the bundles that come with the program ----------------------------------------------------


def _shipped(name: str) -> Bundle:
    folder = ROOT / "bundles" / name
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    return read_bundle(pack_files(files))


def test_the_shipped_agent_answers() -> None:
    run = Flowing(_shipped("basic-agent"), llm_call=said("answer")).start({"prompt": "hello"})
    assert (run.output["response"], run.output["meta"]["iterations"]) == ("answer", 1)
    assert len(run.effects("emit_event")) == 2


def test_the_shipped_call_answers() -> None:
    run = Flowing(_shipped("basic-llm"), llm_call=said("answer")).start({"prompt": "hello"})
    assert (run.output["response"], run.output["scratchpad"]) == ("answer", {})


def test_the_shipped_question_waits_and_repeats_the_answer() -> None:
    run = Flowing(_shipped("ask-first")).start({"prompt": "Tea?", "choices": ["yes", "no"]})
    run.answer("ask", {"response": "yes"})
    assert run.effects("answer_user")[0].payload == {"message": "yes", "level": "message"}
    assert run.output == {"response": "yes", "success": True}


def test_the_shipped_timers_sleep_twice() -> None:
    run = Flowing(_shipped("two-timers")).start({"first_s": 5, "second_s": 7})
    run.come_due("first").come_due("second")
    assert run.output == {"response": "Halfway", "success": True}
    assert (run.clock.now() - START).total_seconds() == 12
