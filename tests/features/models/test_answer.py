"""Pieces make the whole, however a server cuts them, and the whole can always be written as JSON."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.features.models.answer import Answer, BadAnswer, Said, clean, parsed, usage_of
from perdure.kernel.values import Json
from perdure.stores.values import fault_of


def delta(**said: Any) -> dict[str, Json]:
    return {"choices": [{"index": 0, "delta": said}]}


def heard(*events: Json) -> Said:
    answer = Answer()
    for event in events:
        answer.take(event)
    return answer.said()


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_what_was_published_is_what_the_answer_holds(pieces: list[str]) -> None:
    answer = Answer()
    told = [it.text for piece in pieces for it in answer.take(delta(content=piece))]
    content = answer.said().content
    assert content.startswith("".join(told))
    assert len(content) - len("".join(told)) <= 1  # a half that was waiting for its other half
    assert fault_of(content) is None


def test_a_pair_that_comes_in_two_halves_is_one_letter() -> None:
    assert heard(delta(content="a\ud83d"), delta(content="\ude00b")).content == "a😀b"
    assert heard(delta(content="a\ud83d")).content == "a\ufffd"
    assert clean("\x00\ude00") == "\ufffd\ufffd"


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_has_two_names(name: str) -> None:
    assert heard(delta(**{name: "hm"}), delta(content="so")).reasoning == "hm"


def test_text_in_parts_is_text() -> None:
    assert heard(delta(content=[{"type": "text", "text": "a"}, {"text": None}, 3])).content == "a"


def call(
    index: int | None, call_id: str | None, name: str | None, arguments: Any
) -> dict[str, Json]:
    return {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}


def test_calls_come_in_pieces_side_by_side() -> None:
    said = heard(
        delta(tool_calls=[call(1, "b", "second", "")]),
        delta(tool_calls=[call(0, "a", "first", '{"x"'), call(1, None, None, '{"y": 2}')]),
        delta(tool_calls=[call(0, None, None, ": 1}")]),
    )
    assert said.tool_calls == [
        {"name": "first", "arguments": {"x": 1}, "call_id": "a"},
        {"name": "second", "arguments": {"y": 2}, "call_id": "b"},
    ]


def test_whole_calls_without_a_number_are_calls_of_their_own() -> None:
    said = heard(
        delta(tool_calls=[call(None, "a", "first", {"x": 1})]),
        delta(tool_calls=[call(None, "b", "second", None)]),
    )
    assert [it["arguments"] for it in said.tool_calls] == [{"x": 1}, {}]


@pytest.mark.parametrize("arguments", ["[1]", "7", '"x"', "{", "nonsense"])
def test_arguments_that_are_no_object_stay_text(arguments: str) -> None:
    said = heard(delta(tool_calls=[call(0, "a", "f", arguments)]))
    assert said.tool_calls[0]["arguments"] == arguments


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "x",
        {"choices": ["x"]},
        {"choices": [{"delta": "x"}]},
        delta(tool_calls=["x"]),
        delta(tool_calls=[{}]),
    ],
)
def test_what_the_protocol_does_not_say_is_refused(event: Json) -> None:
    with pytest.raises(BadAnswer):
        Answer().take(event)


def test_a_provider_that_fails_on_its_way_is_quoted() -> None:
    with pytest.raises(BadAnswer) as bad:
        Answer().take({"error": {"code": 429, "message": "slow"}})
    assert bad.value.told["error"]["code"] == 429


@pytest.mark.parametrize(
    "event", [{}, {"choices": []}, {"choices": [{"delta": None}]}, {"choices": None}]
)
def test_an_event_that_says_nothing_adds_nothing(event: Json) -> None:
    assert Answer().take(event) == []


def test_tokens_have_two_names_and_no_guesses() -> None:
    assert usage_of({"input_tokens": 3, "output_tokens": 4})["total_tokens"] == 7
    assert usage_of({"prompt_tokens": True, "completion_tokens": -1}) == dict.fromkeys(
        ("input_tokens", "output_tokens", "total_tokens", "prompt_tokens", "completion_tokens")
    )


def test_what_is_no_json_is_nothing() -> None:
    assert parsed(b"\xff") is None
    assert parsed("[" * 100_000) is None
