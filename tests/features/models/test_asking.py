"""What a target is asked, and what its reader is told beside the answer."""

from typing import Any

import pytest

from perdure.features.models.asking import Asked, asked
from perdure.features.models.routing import Target
from perdure.features.models.settings import Provider
from perdure.kernel.model import Failed

FAR = Target("openai", "gpt", Provider("openai", "http://o/v1"))
TOY = Target("embedded", "toy", None, unasked=True)
TOOL = {"name": "look", "description": "", "parameters": {"type": "object"}}


def question(target: Target = FAR, **payload: Any) -> Asked:
    """What is asked."""
    it = asked({"prompt": "hello", **payload}, target)
    assert isinstance(it, Asked), it
    return it


def test_a_tool_of_which_only_the_name_is_known_is_not_offered_and_told() -> None:
    it = question(tools=["web_search", TOOL])
    assert [tool["function"]["name"] for tool in it.body["tools"]] == ["look"]
    assert it.notices == ("#FALLBACK The tool 'web_search' is not installed and was not offered.",)


@pytest.mark.parametrize("name", ["max_input_tokens", "max_in_tokens"])
def test_what_is_left_out_for_the_budget_is_told(name: str) -> None:
    old = [{"role": "user", "content": "x" * 4_000}]
    it = question(messages=old, params={name: 100})
    assert it.body["messages"] == [{"role": "user", "content": "hello"}]
    assert it.notices == (
        "#TRUNCATION 1 older messages were left out to keep to the input budget.",
    )


def test_a_prompt_beyond_the_budget_is_a_failure() -> None:
    failed = asked({"prompt": "x" * 4_000, "params": {"max_input_tokens": 100}}, FAR)
    assert isinstance(failed, Failed)
    assert failed.code == "context_too_long"


def test_the_embedded_model_says_that_it_is_a_toy_and_how_to_have_a_better_one() -> None:
    (notice,) = question(TOY).notices
    assert notice.startswith("#FALLBACK No provider is configured")
    for word in ("toy", "PERDURE_PROVIDER_<NAME>_BASE_URL", "PERDURE_MODEL=<name>/<model>"):
        assert word in notice
    (wanted,) = question(TOY._replace(unasked=False)).notices
    assert "#FALLBACK" not in wanted


def test_the_embedded_model_has_bounds_where_none_are_given() -> None:
    it = question(TOY, params={"seed": 3, "temperature": None})
    assert (it.body["temperature"], it.body["max_tokens"], it.body["seed"]) == (0.3, 512, 3)
    assert it.body["messages"][0] == {"role": "system", "content": ""}
    assert question(TOY, params={"max_tokens": 5, "temperature": 0}).body["max_tokens"] == 5


def test_tools_are_shapes_to_the_embedded_model() -> None:
    it = question(TOY, tools=[TOOL])
    assert it.by_schema
    assert "tools" not in it.body
    assert len(it.body["response_format"]["json_schema"]["schema"]["oneOf"]) == 2
    assert not question(TOY).by_schema
