"""A conversation made shorter: what is summed up, what stays word for word, and that nothing is lost."""

from typing import Any

import pytest

from perdure.errors import Conflict
from perdure.features.flows.compaction import COMMANDS, HOW, NODE, TOLD, Terms, split
from perdure.kernel.model import Effect, Failed, Ok, Outcome, Status, Told
from perdure.kernel.values import Json
from perdure.services.compactions import MODES
from perdure.services.schedules import RECURS
from tests.support.builders import a_run
from tests.support.clock import START
from tests.support.drawing import a_flow, a_node, a_start, an_end
from tests.support.flowing import Flowing

CHATTING = a_flow(
    {"start": a_start("context"), "while": a_node("while", defaults={"condition": True}),
     "ask": a_node("ask_user", "prompt", out="response", defaults={"prompt": "?"}),
     "say": a_node("llm_call", "prompt", out="response", effectConfig={"use_context": True, "provider": "p", "model": "m"}),
     "end": an_end()},
    "start -> while", "while:loop -> ask -> say", "while:done -> end", "ask.response => say.prompt",
)  # fmt: skip
RULES: Json = {"role": "system", "content": "be brief"}


def turns(count: int) -> list[Json]:
    """So many messages of a user and an assistant in turn."""
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": f"said {n}"} for n in range(count)]


def chatting(
    *messages: Json, flow: Json = CHATTING, cells: Json = None, **handlers: Outcome
) -> Flowing:
    """A run that waits for the next word of a conversation that began so."""
    return Flowing(flow, **handlers).start({"context": {"messages": list(messages)}}, cells=cells)


def told(run: Flowing, **asked: Any) -> Flowing:
    """The run, told to compact its memory."""
    run.decide(run.root, Told({"do": "compact", "terms": list(Terms(**asked))}))
    run.settle()
    return run


def said(run: Flowing) -> list[tuple[str, str]]:
    """The run's conversation: who spoke, and what was said."""
    messages = [run.cells[f"msg/{n}"] for n in range(run.cells["ctl/messages"])]
    assert f"msg/{len(messages)}" not in run.cells
    return [(it["role"], it["content"]) for it in messages]


def asked_of(run: Flowing) -> Effect:
    """The call that is to sum up."""
    what = run.open_at(NODE).what
    assert isinstance(what, Effect)
    return what


def test_older_messages_are_summed_up_and_the_newest_stay_word_for_word() -> None:
    run = told(chatting(RULES, *turns(10)), preserve_recent=3, mode="heavy", focus="the price")
    payload = asked_of(run).payload
    assert (payload["provider"], payload["model"]) == ("p", "m")
    for part in ("user: said 0", "assistant: said 5", HOW["heavy"], "What matters most: the price"):
        assert part in payload["prompt"]
    assert "said 7" not in payload["prompt"] and "be brief" not in payload["prompt"]
    run.arrive(NODE, Ok({"content": " they talked "}))
    assert said(run) == [
        ("system", "be brief"), ("system", f"{TOLD}they talked"),
        ("assistant", "said 7"), ("user", "said 8"), ("assistant", "said 9"),
    ]  # fmt: skip
    assert run.status is Status.WAITING, "for the next word, as before"


def test_what_was_summed_up_stays_in_the_history() -> None:
    run = told(chatting(*turns(10)))
    (asked,) = (it for it in run.life.steps if it.node_id == NODE)
    assert asked.status == "started" and "said 3" in asked.effect["payload"]["prompt"]
    run.arrive(NODE, Ok({"content": "sum"}))
    came = run.life.steps[-1]
    assert (came.node_id, came.status, came.result) == (NODE, "completed", {"content": "sum"})
    assert came.writes is not None and came.writes["ctl/messages"] == 7


def test_the_next_call_goes_on_from_the_summary_and_no_id_comes_twice() -> None:
    run = told(chatting(RULES, *turns(10)), preserve_recent=2)
    run.answer("ask", {"response": "meanwhile"}).arrive("say", Ok({"content": "yes"}))
    run.arrive(NODE, Ok({"content": "sum"})).answer("ask", {"response": "next"})
    call = run.open_at("say").what
    assert isinstance(call, Effect)
    assert [it["content"] for it in call.payload["messages"]] == [
        "be brief", f"{TOLD}sum", "said 8", "said 9", "meanwhile", "yes",
    ]  # fmt: skip
    run.arrive("say", Ok({"content": "well"}))
    ids = [run.cells[f"msg/{n}"].get("metadata", {}).get("message_id", "") for n in range(2, 8)]
    assert [it.removeprefix(f"{run.root}:") for it in ids] == ["", "", "11", "12", "13", "14"]


def test_a_context_pin_still_stands_for_the_conversation_that_it_began() -> None:
    edge = {"id": "c", "source": "start", "sourceHandle": "context", "target": "say", "targetHandle": "context"}  # fmt: skip
    run = told(chatting(RULES, *turns(8), flow={**CHATTING, "edges": [*CHATTING["edges"], edge]}))
    run.arrive(NODE, Ok({"content": "sum"})).answer("ask", {"response": "next"})
    call = run.open_at("say").what
    assert isinstance(call, Effect)
    assert [it["content"] for it in call.payload["messages"]][:2] == ["be brief", f"{TOLD}sum"]


def test_a_summary_is_summed_up_with_what_came_after_it() -> None:
    run = told(chatting(*turns(10)), preserve_recent=4).arrive(NODE, Ok({"content": "first"}))
    told(run, preserve_recent=1)
    assert "first" in asked_of(run).payload["prompt"]
    run.arrive(NODE, Ok({"content": "second"}))
    assert said(run) == [("system", f"{TOLD}second"), ("assistant", "said 9")]


@pytest.mark.parametrize(
    ("outcome", "why"),
    [(Failed("provider_not_configured", "none"), "provider_not_configured: none"),
     (Ok({"content": " "}), "the model summed up nothing"), (Ok(None), "the model summed up nothing")],
)  # fmt: skip
def test_a_summary_that_does_not_come_about_changes_nothing_and_warns(
    outcome: Outcome, why: str
) -> None:
    run = told(chatting(*turns(10)))
    before = said(run)
    run.arrive(NODE, outcome)
    assert said(run) == before and run.status is Status.WAITING
    assert run.life.run.warnings == (f"{NODE}: {why}",)
    told(run)
    asked_of(run)  # it may be asked for again


def test_a_conversation_that_the_flow_changed_meanwhile_is_left_to_it() -> None:
    flow = a_flow(
        {"start": a_start("context"), "ask": a_node("ask_user", "prompt", defaults={"prompt": "?"}),
         "set": a_node("set_var", defaults={"name": "context.messages", "value": [RULES] * 9}),
         "wait": a_node("ask_user", "prompt", defaults={"prompt": "?"}), "end": an_end()},
        "start -> ask -> set -> wait -> end",
    )  # fmt: skip
    run = told(chatting(*turns(10), flow=flow)).answer("ask", {"response": "go"})
    run.arrive(NODE, Ok({"content": "sum"}))
    assert said(run) == [("system", "be brief")] * 9
    assert run.life.run.warnings == (f"{NODE}: the conversation was changed meanwhile",)


@pytest.mark.parametrize("messages", [[], turns(7), [*[RULES] * 9, *turns(7)]])
def test_where_there_is_too_little_nothing_is_asked(messages: list[Json]) -> None:
    run = told(chatting(*messages))
    assert run.effects("llm_call") == [] and len(run.life.run.open) == 1


def test_one_summary_is_made_at_a_time() -> None:
    run = told(told(chatting(*turns(10))))
    assert [entry.what.node_id for entry in run.life.run.open.values()].count(NODE) == 1


def test_a_message_that_says_nothing_is_no_part_of_a_summary() -> None:
    assert split(["odd", None, RULES, *turns(2)], 4).older == ["odd", None, turns(1)[0]]


# --- the word ---------------------------------------------------------------------------------------


def word(run: Flowing, **payload: Json) -> Json:
    """What the flow of a run is told by a command."""
    return COMMANDS["compact_memory"].word(a_run(), run.cells, payload, START)


def test_a_command_becomes_a_word_with_every_term() -> None:
    run = chatting(*turns(10))
    assert word(run) == {"do": "compact", "terms": [6, "standard", None]}
    asked = word(run, preserve_recent=0, compression_mode="light", focus=" x ")
    assert asked["terms"] == [0, "light", "x"]
    assert set(HOW) == set(MODES), "each mode has its words"


def test_a_command_is_refused_where_there_is_nothing_to_do() -> None:
    with pytest.raises(Conflict, match="too few messages"):
        word(chatting(*turns(7)))
    with pytest.raises(Conflict, match="already"):
        word(told(chatting(*turns(10))))


# --- of itself --------------------------------------------------------------------------------------

RECURRENT = {RECURS: True, "rt/_limits": {"max_tokens": 100}}


def talking(messages: int, cells: Json, letters: int = 400) -> Flowing:
    """A run with so many messages, after one more turn of so many letters."""
    run = chatting(*turns(messages), cells=cells)
    return run.answer("ask", {"response": "x" * letters}).arrive("say", Ok({"content": "yes"}))


def compacts(run: Flowing) -> bool:
    """Whether a summary is under way."""
    return any(entry.what.node_id == NODE for entry in run.life.run.open.values())


def test_a_run_of_a_recurrent_schedule_compacts_near_the_bound_of_its_tokens() -> None:
    assert compacts(talking(10, RECURRENT))
    assert not compacts(talking(9, RECURRENT)), "with twelve messages and no fewer"
    assert not compacts(talking(10, RECURRENT, letters=100)), "far from the bound"
    assert not compacts(talking(10, {**RECURRENT, RECURS: False})), "in recurrent schedules alone"


def test_one_that_failed_is_not_tried_again_of_itself_at_once() -> None:
    run = talking(10, RECURRENT).arrive(NODE, Failed("no", "model"))
    for turn in range(1, 7):
        run.answer("ask", {"response": "more"}).arrive("say", Ok({"content": "yes"}))
        assert compacts(run) == (turn == 6)
