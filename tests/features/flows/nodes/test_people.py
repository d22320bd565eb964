"""Questions and answers, by example."""

from typing import Any

import pytest

from perdure.kernel.model import Effect, Reason, Status, Wait
from perdure.kernel.values import Json
from tests.support.drawing import a_flow, a_node, a_start
from tests.support.flowing import Flowing, passed

FREE = a_node("ask_user", "prompt", "choices", out="response")
CLOSED = a_node(
    "ask_user", "prompt", "choices", out="response", effectConfig={"allowFreeText": False}
)

ASKED: dict[str, tuple[Any, dict[str, Json], str, tuple[str, ...] | None, bool]] = {
    "a question": (FREE, {"prompt": "Why?"}, "Why?", None, True),
    "a question with choices": (FREE, {"prompt": "Go?", "choices": ["yes", "no", 3, None]}, "Go?", ("yes", "no", "3"), True),
    "choices alone": (CLOSED, {"prompt": "Go?", "choices": ["yes", "no"]}, "Go?", ("yes", "no"), False),
    "no question": (FREE, {}, "Please respond:", None, True),
    "no choices": (FREE, {"prompt": "Why?", "choices": []}, "Why?", None, True),
}  # fmt: skip

LEVELS = {
    "warn": "warning",
    "info": "message",
    "ERROR": "error",
    "loud": "message",
    None: "message",
}


@pytest.mark.parametrize(("node", "pins", "prompt", "choices", "free"), ASKED.values(), ids=ASKED)
def test_ask_user(
    node: Any, pins: dict[str, Json], prompt: str, choices: tuple[str, ...] | None, free: bool
) -> None:
    run = passed(node, pins, "response")
    entry = run.open_at("it")
    wait = entry.what
    assert isinstance(wait, Wait)
    assert (wait.reason, wait.kind, wait.prompt) == (Reason.USER, "ask_user", prompt)
    assert (wait.choices, wait.allow_free_text) == (choices, free)
    assert entry.key == f"user:{run.root}:it"
    assert wait.result_key == "_temp.effects.it"
    assert run.status is Status.WAITING


def test_an_answer_is_what_was_answered() -> None:
    run = passed(FREE, {"prompt": "Why?"}, "response").answer("it", {"response": "so", "more": 1})
    assert run.output == {"response": "so", "success": True}
    assert run.cells["out/it"] == {"response": "so", "more": 1}
    assert run.cells["last"] == "out/start", "an answer is not ambient"


def test_a_question_may_be_the_end() -> None:
    flow = a_flow({"start": a_start(), "ask": FREE}, "start -> ask")
    run = Flowing(flow).start().answer("ask", {"response": "so"})
    assert run.output == {"success": True, "result": {"response": "so"}}


@pytest.mark.parametrize(("level", "shown"), LEVELS.items(), ids=[str(level) for level in LEVELS])
def test_answer_user(level: str | None, shown: str) -> None:
    run = passed(
        a_node("answer_user", "message", "level"), {"message": 7, "level": level}, "message"
    )
    (effect,) = run.effects("answer_user")
    assert effect.payload == {"message": "7", "level": shown}
    assert run.output == {"message": "7", "success": True}


def test_a_word_is_an_effect_of_its_node() -> None:
    effect: Effect = passed(a_node("answer_user"), {"message": "hi"}, "message").performed[0]
    assert (effect.kind, effect.node_id, effect.result_key) == (
        "answer_user",
        "it",
        "_temp.effects.it",
    )
