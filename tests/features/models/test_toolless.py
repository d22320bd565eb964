"""A model without tools is given shapes to answer in, and its answer is read back as a call or as words."""

import json

import pytest

from perdure.features.models.answer import Said, usage_of
from perdure.features.models.toolless import read_back, schema_for, told

TOOLS = [{"name": "look", "description": "Look up", "parameters": {"type": "object"}}]


def said(content: str) -> Said:
    return Said(content, "", [], usage_of({}), "m", "stop", None)


def test_each_tool_is_a_shape_and_words_are_one() -> None:
    look, words = schema_for(TOOLS)["oneOf"]
    assert look["properties"] == {"tool": {"const": "look"}, "arguments": {"type": "object"}}
    assert look["required"] == ["tool", "arguments"]
    assert words["properties"] == {"answer": {"type": "string"}}
    assert schema_for([], {"type": "array"})["oneOf"][0]["properties"]["answer"] == {
        "type": "array"
    }


def test_a_chosen_tool_is_a_call() -> None:
    answer = read_back(said('{"tool": "look", "arguments": {"at": 1}}'))
    assert answer.tool_calls == [{"name": "look", "arguments": {"at": 1}, "call_id": "call_0"}]
    assert (answer.content, answer.finish_reason) == ("", "tool_calls")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"answer": "yes"}', "yes"),
        ('{"answer": {"n": 1}}', '{"n": 1}'),
        ('{"ans', '{"ans'),
        ("[]", "[]"),
        ("{}", "{}"),
    ],
)
def test_anything_else_is_words(content: str, words: str) -> None:
    answer = read_back(said(content))
    assert (answer.content, answer.tool_calls) == (words, [])


def test_tools_calls_and_results_are_told_in_words() -> None:
    function = {"name": "look", "arguments": '{"at": 1}'}
    system, user, call, result = told(
        [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": "", "tool_calls": [{"function": function}]},
            {"role": "tool", "content": "found", "tool_call_id": "c"},
        ],
        TOOLS,
    )
    assert system["content"].startswith("be brief")
    assert "- look: Look up" in system["content"]
    assert user == {"role": "user", "content": "hello"}
    assert json.loads(call["content"]) == {"tool": "look", "arguments": {"at": 1}}
    assert result == {"role": "user", "content": "The tool answered: found"}


def test_without_tools_and_prompt_the_system_message_is_there_and_empty() -> None:
    assert told([{"role": "user", "content": "x"}], [])[0] == {"role": "system", "content": ""}
