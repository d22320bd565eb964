"""The agent's loop: it ends by an answer, the cap or a failure of the model, and by nothing else."""

import pytest

from perdure.features.agents.react import React
from perdure.ids import Key
from perdure.kernel.model import (
    Arrived,
    Effect,
    EffectClass,
    Failed,
    Hold,
    Release,
    Told,
    Unknown,
)
from perdure.kernel.program import Fail, Moment, View
from tests.support.agents import FAILED, Agent, came, said
from tests.support.builders import AT, a_birth
from tests.support.clock import START


def test_an_answer_in_words_is_the_end() -> None:
    agent = Agent().hear(said("forty-two"))
    output = agent.output
    assert output["answer"] == output["report"] == "forty-two"
    assert (output["iterations"], output["capped"], output["data"]) == (1, False, None)
    assert (output["provider"], output["model"]) == ("scripted", "scripted-1")
    assert output["messages"] == [
        {"role": "user", "content": "the task"},
        {"role": "assistant", "content": "forty-two"},
    ]
    cycle = {"i": 1, "thought": "forty-two", "tool_calls": [], "observations": []}
    assert output["scratchpad"] == {"cycles": [cycle]}
    assert output["usage"] == {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}


def test_the_model_is_asked_with_all_that_was_given() -> None:
    history = [{"role": "user", "content": "before"}, {"role": "assistant", "content": "yes"}]
    agent = Agent(system="be brief", provider="p", model="m", tools=["look"], temperature=0.1, seed=7,
                  thinking="low", max_in_tokens=900, messages=history)  # fmt: skip
    asked = agent.asked()
    assert (asked["provider"], asked["model"], asked["system_prompt"]) == ("p", "m", "be brief")
    assert asked["messages"] == [*history, {"role": "user", "content": "the task"}]
    assert asked["params"] == {
        "temperature": 0.1, "seed": 7, "thinking": "low", "max_input_tokens": 900,
    }  # fmt: skip
    assert [tool["name"] for tool in asked["tools"]] == ["look"]
    (entry,) = agent.run.open.values()
    assert isinstance(entry.what, Effect)
    assert (entry.what.kind, entry.what.node_id) == ("llm_call", "reason")
    assert entry.what.effect_class is EffectClass.READ


def test_calls_are_effects_of_their_own_and_told_in_the_order_of_the_calls() -> None:
    agent = Agent(tools=["look", "send"])
    agent.hear(said("I look", ("look", {"at": "a"}), ("send", {}), ("look", {"at": "b"})))
    classes = [e.what.effect_class for e in agent.run.open.values() if isinstance(e.what, Effect)]
    assert classes == [EffectClass.READ, EffectClass.ONCE, EffectClass.READ]
    call = agent.asked("act:1")
    assert call["tool_calls"][0]["runtime_call_id"] == f"{agent.id}:1:1"
    assert call["allowed_tools"] == ["look", "send"]
    agent.hear(came("B"), "act:2").hear(came({"sent": 1}), "act:1")
    assert agent.tags == ["act:0"]
    agent.hear(came("A"), "act:0")
    told = [it["content"] for it in agent.asked()["messages"] if it["role"] == "tool"]
    assert told == ["A", '{"sent": 1}', "B"]
    assert agent.cells("out/act/") == {}
    output = agent.hear(said("done")).output
    assert [it["output"] for it in output["tool_results"]] == ["A", {"sent": 1}, "B"]
    assert [it["name"] for it in output["tool_calls"]] == ["look", "send", "look"]
    assert [it["i"] for it in output["scratchpad"]["cycles"]] == [1, 2]
    assert output["iterations"] == 2


def test_each_message_is_one_cell() -> None:
    agent = Agent(tools=["look"]).hear(said("", ("look", {}))).hear(came("x"), "act:0")
    assert sorted(agent.cells("msg/")) == ["msg/0", "msg/1", "msg/2"]
    assert agent.asked()["messages"] == [agent.cells("msg/")[f"msg/{n}"] for n in range(3)]


@pytest.mark.parametrize(
    ("call", "why"),
    [(("fly", {}), "there is no tool 'fly'"), (("look", "{at"), "no JSON object"), (("", {}), "no tool ''"),
     (("send", {}), "there is no tool 'send'")],
)  # fmt: skip
def test_a_call_that_cannot_be_made_is_a_result_for_the_model(
    call: tuple[str, object], why: str
) -> None:
    agent = Agent(tools=["look"]).hear(said("", call))
    assert agent.tags == ["reason"]
    told = agent.asked()["messages"][-1]
    assert told["role"] == "tool"
    assert why in told["content"]
    assert agent.hear(said("well")).output["tool_results"][0]["success"] is False


def test_good_calls_are_made_beside_bad_ones() -> None:
    agent = Agent(tools=["look"]).hear(said("", ("fly", {}), ("look", {})))
    assert agent.tags == ["act:1"]
    agent.hear(came("seen"), "act:1")
    assert [it["content"][:5] for it in agent.asked()["messages"][-2:]] == ["Error", "seen"]


def test_a_tool_that_fails_is_a_result_for_the_model() -> None:
    agent = Agent(tools=["look"]).hear(said("", ("look", {})))
    agent.hear(Failed("no_network", "it is down"), "act:0")
    assert agent.asked()["messages"][-1]["content"] == "Error: no_network: it is down"


def test_a_model_that_fails_fails_the_run() -> None:
    agent = Agent().hear(FAILED)
    assert agent.run.status == "failed"
    assert agent.run.error == "provider_auth: status 401: no such key"


def test_an_answer_of_nothing_is_a_failure() -> None:
    agent = Agent().hear(said("  "))
    assert (agent.run.status, agent.run.error) == (
        "failed",
        "empty_answer: the model answered with nothing",
    )


def test_nothing_to_answer_is_a_failure() -> None:
    agent = Agent(prompt="")
    assert agent.run.error is not None
    assert agent.run.error.startswith("prompt_missing")


def test_history_alone_is_enough() -> None:
    agent = Agent(prompt="", messages=[{"role": "user", "content": "hello"}])
    assert agent.asked()["messages"] == [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize("cap", [1, 2, 5])
def test_the_cap_is_hard(cap: int) -> None:
    agent = Agent(tools=["look"], max_iterations=cap)
    for _ in range(cap - 1):
        agent.hear(said("", ("look", {}))).hear(came("x"), "act:0")
    agent.hear(said("so far", ("look", {})))
    output = agent.output
    assert (output["capped"], output["answer"], output["iterations"]) == (True, "so far", cap)
    assert output["report"].startswith(f"Stopped after {cap} of {cap} iterations")
    assert len(output["tool_results"]) == cap - 1
    assert "tool_calls" not in output["messages"][-1]


def test_the_cap_without_words_is_a_failure() -> None:
    agent = Agent(tools=["look"], max_iterations=1).hear(said("", ("look", {})))
    assert agent.run.error is not None
    assert agent.run.error.startswith("max_iterations: Stopped after 1 of 1")


def test_a_schema_costs_one_more_question() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    agent = Agent(resp_schema=schema).hear(said("it is 42"))
    assert agent.tags == ["done"]
    asked = agent.asked("done")
    assert asked["response_schema"] == schema
    assert asked["messages"][-1] == {"role": "assistant", "content": "it is 42"}
    output = agent.hear(said('{"n":42}', data={"n": 42}), "done").output
    assert (output["answer"], output["data"]) == ('{"n": 42}', {"n": 42})
    assert output["usage"]["total_tokens"] == 24


def test_an_answer_that_does_not_become_json_fails_the_run() -> None:
    agent = Agent(resp_schema={"type": "object"}).hear(said("it is 42"))
    agent.hear(Failed("structured_output_invalid", "no JSON"), "done")
    assert agent.run.error == "structured_output_invalid: no JSON"


def test_tools_that_are_not_installed_are_left_out_and_told() -> None:
    agent = Agent(tools=["look", "execute_command", "web_search"])
    assert [tool["name"] for tool in agent.asked()["tools"]] == ["look"]
    warnings = [
        "#FALLBACK tool execute_command is not installed",
        "#FALLBACK tool web_search is not installed",
    ]
    assert list(agent.run.warnings) == warnings
    assert agent.hear(said("x")).output["warnings"] == warnings


def test_what_a_provider_lets_know_reaches_the_run_once() -> None:
    notice = {"notice": "#FALLBACK a toy"}
    agent = Agent(tools=["look"]).hear(said("", ("look", {}), metadata=notice))
    agent.hear(came("x"), "act:0").hear(said("y", metadata=notice))
    assert list(agent.run.warnings) == agent.output["warnings"] == ["#FALLBACK a toy"]


def test_the_time_it_took_is_told() -> None:
    agent = Agent()
    agent.world.clock.advance(1.5)
    assert agent.hear(said("x")).output["duration_ms"] == 1500


def test_nothing_is_asked_for_while_a_run_is_held() -> None:
    agent = Agent(tools=["look"]).hear(said("", ("look", {}), ("look", {})))
    agent.world.deliver(agent.id, Hold())
    agent.hear(came("A"), "act:0").hear(came("B"), "act:1")
    assert agent.tags == []
    agent.world.deliver(agent.id, Release())
    assert [it["content"] for it in agent.asked()["messages"][-2:]] == ["A", "B"]


def test_a_word_that_answers_nothing_changes_nothing() -> None:
    agent = Agent()
    before = agent.cells("")
    agent.world.deliver(agent.id, Told({"say": "hurry"}))
    assert (agent.tags, agent.cells("")) == (["reason"], before)


def test_a_doubt_about_the_model_ends_the_run_as_failed() -> None:
    cells = View({"in/prompt": "x", "ctl/react": {"began": AT, "iteration": 1}})
    arrived = Arrived(Key("k"), Unknown("cut"), tag="reason")
    move = React({}).next(cells, arrived, Moment(a_birth(), 2, START))
    assert move.end == Fail("unknown_outcome", "cut")
