"""Flows that go on for long, and what each of their steps writes."""

import orjson
from msgspec.structs import asdict

from perdure.kernel.model import GONE, Ok
from perdure.kernel.values import Json
from tests.support.drawing import a_flow, a_node, a_start, an_end
from tests.support.flowing import Flowing


def a_long_loop(passes: int) -> Json:
    """A `for` whose body is one effect that is told the number of the pass."""
    pins = {"start": 0, "end": passes}
    return a_flow(
        {"start": a_start(), "for": a_node("for", defaults=pins, out="i index total"),
         "tell": a_node("answer_user", "message"), "end": an_end("index")},
        "start -> for", "for:loop -> tell", "for:done -> end", "for.index => tell.message",
        id="loop",
    )  # fmt: skip


def a_long_chat(turns: int) -> Json:
    """A conversation of the run's own: in each turn a question, a model's answer, and both kept as messages."""
    pins = {"start": 0, "end": turns}
    asked = {"prompt": "And what comes after that, and why?"}
    return a_flow(
        {"start": a_start(), "for": a_node("for", defaults=pins, out="i index total"),
         "ask": a_node("add_message", "role", "content", defaults={"role": "user", "content": asked["prompt"]}),
         "call": a_node("llm_call", "prompt", defaults=asked, out="response"),
         "keep": a_node("add_message", "role", "content", defaults={"role": "assistant"}), "end": an_end("index")},
        "start -> for", "for:loop -> ask -> call -> keep", "for:done -> end", "call.response => keep.content",
        id="chat",
    )  # fmt: skip


def step_bytes(flow: Json, passes: int) -> list[int]:
    """What each effect of a run of the flow has written to the ledger and to the state, in order."""
    run = Flowing(flow, llm_call=Ok({"content": "Because it is so.", "tool_calls": None})).start()
    assert run.output["success"] is True
    sizes, since = [], 0
    for step in run.life.steps:
        since += len(orjson.dumps(asdict(step), default=_plain))
        if step.status == "completed" and step.idempotency_key and step.effect_class:
            sizes.append(since)
            since = 0
    assert len(sizes) >= passes
    return sizes


def _plain(value: object) -> Json:
    return None if value is GONE else value
