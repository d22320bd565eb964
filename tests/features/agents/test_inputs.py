"""Inputs that make no sense have their defaults; what is given is kept."""

import pytest

from perdure.features.agents.inputs import ITERATIONS, ITERATIONS_MAX, read_inputs
from perdure.kernel.program import View
from perdure.kernel.values import Json


@pytest.mark.parametrize(
    ("given", "taken"),
    [(None, ITERATIONS), (0, ITERATIONS), (-3, ITERATIONS), ("5", ITERATIONS), (True, ITERATIONS), (1, 1), (7.9, 7),
     (10**9, ITERATIONS_MAX)],
)  # fmt: skip
def test_the_cap_is_a_number_of_at_least_one(given: Json, taken: int) -> None:
    assert read_inputs(View({"in/max_iterations": given})).max_iterations == taken


def test_an_agent_without_inputs_has_defaults() -> None:
    inputs = read_inputs(View({}))
    assert (inputs.prompt, inputs.system, inputs.tools, inputs.params) == ("", "", [], {})
    assert (inputs.schema, inputs.history) == ({}, [])


def test_a_prompt_that_is_no_text_is_shown_as_json() -> None:
    assert read_inputs(View({"in/prompt": {"a": "é"}})).prompt == '{"a": "é"}'


def test_what_is_no_message_and_no_schema_is_left_out() -> None:
    cells = {"in/messages": [1, {"role": "user", "content": "x"}], "in/resp_schema": "none"}
    inputs = read_inputs(View(cells))
    assert (inputs.history, inputs.schema) == ([{"role": "user", "content": "x"}], {})
