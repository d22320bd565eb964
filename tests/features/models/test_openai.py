"""The protocol as it is spoken: parameters that were given, failures by class, events by lines."""

from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.features.models.openai import (
    Events,
    body_of,
    data_of,
    failure_of,
    fenced,
    format_of,
    retry_after_of,
    schema_of,
    tools_of,
)
from perdure.kernel.values import Json
from tests.support.clock import START


def parameters(**params: Json) -> dict[str, Json]:
    body = body_of("m", [], {"params": params})
    return {
        name: it
        for name, it in body.items()
        if name not in ("model", "messages", "stream", "stream_options")
    }


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        ({}, {}),
        (
            {"temperature": 0, "seed": 0, "max_tokens": 1.0},
            {"temperature": 0, "seed": 0, "max_tokens": 1},
        ),
        ({"temperature": None, "seed": -1, "max_tokens": 0}, {}),
        ({"temperature": "hot", "seed": True, "thinking": False}, {}),
        ({"thinking": True}, {"reasoning_effort": "medium"}),
        ({"thinking": "high"}, {"reasoning_effort": "high"}),
        ({"thinking": "auto", "unknown": 1}, {}),
    ],
)
def test_only_parameters_that_mean_something_are_sent(
    params: dict[str, Json], sent: dict[str, Json]
) -> None:
    assert parameters(**params) == sent


def test_one_provider_has_another_word_for_the_bound() -> None:
    body = body_of("m", [], {"params": {"max_tokens": 5}}, renamed_max=True)
    assert body["max_completion_tokens"] == 5
    assert "max_tokens" not in body


def test_a_table_of_arguments_becomes_a_schema() -> None:
    table = {"at": {"type": "string"}, "deep": {"type": "boolean", "default": False}}
    assert schema_of({"parameters": table}) == {
        "type": "object", "properties": table, "required": ["at"],
    }  # fmt: skip
    assert schema_of({"parameters": table, "required_args": []})["required"] == []
    assert schema_of({"parameters": {"properties": table}})["type"] == "object"


def test_a_name_alone_is_no_tool() -> None:
    assert tools_of({"tools": ["a", {"name": 1}, {"name": "b"}]}) == [
        {"name": "b", "description": "", "parameters": {"type": "object", "properties": {}, "required": []}}
    ]  # fmt: skip


def test_a_schema_s_name_is_of_letters_that_the_protocol_allows() -> None:
    assert format_of({}, "Ünser Schema!")["json_schema"]["name"] == "_nser_Schema_"
    assert format_of({})["json_schema"]["name"] == "answer"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"error": null}',
        b'{"error": "x"}',
        b'{"message": "x"}',
        b"[" * 100_000,
    ],
)
def test_a_failure_in_any_form_is_a_failure(body: bytes) -> None:
    failed = failure_of(500, {}, body, START)
    assert (failed.code, failed.retryable) == ("provider_failed", True)
    assert failed.detail.startswith("status 500")


def test_a_provider_s_words_are_kept_short() -> None:
    failed = failure_of(400, {}, b'{"error": {"message": "' + b"x" * 5_000 + b'"}}', START)
    assert len(failed.detail) < 700


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3.0), ("0.5", 0.5), (None, None), ("", None), ("soon", None), ("-1", None), ("9" * 400, None),
     (format_datetime(START + timedelta(seconds=30)), 30.0), (format_datetime(START - timedelta(days=1)), 0.0)],
)  # fmt: skip
def test_when_to_come_back_is_a_number_or_a_date(text: str | None, seconds: float | None) -> None:
    assert retry_after_of(text, START) == seconds


def events_in(text: str) -> list[str]:
    events = Events()
    found = [
        it for line in text.split("\n") if (it := events.take(line.removesuffix("\r"))) is not None
    ]
    rest = events.end()
    return [*found, rest] if rest is not None else found


def test_an_event_ends_with_an_empty_line_or_with_the_stream() -> None:
    text = ": ping\n\ndata: a\ndata:b\nid: 7\n\nevent: x\n\ndata: c\r\n\r\ndata: d"
    assert events_in(text) == ["a\nb", "c", "d"]


@given(st.text())
def test_any_text_is_read_to_its_end(text: str) -> None:
    events_in(text)


def test_a_fence_is_taken_off_and_nothing_else() -> None:
    assert fenced('```json\n{"a": 1}\n```\n') == '{"a": 1}'
    assert fenced("a ```b``` c") == "a ```b``` c"


@pytest.mark.parametrize("content", ["", "no", "{", "[" * 100_000])
def test_no_json_is_no_data(content: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        data_of(content)
