"""A tool is offered by its spec; nobody's word makes it harmless."""

from perdure.features.agents.tools import ToolSpec, missing, names_in
from perdure.kernel.model import EffectClass


def test_a_tool_of_which_nothing_is_known_is_never_repeated() -> None:
    assert ToolSpec("x").effect_class is EffectClass.ONCE


def test_what_is_offered_has_a_schema_of_an_object() -> None:
    assert ToolSpec("x").offered() == {
        "name": "x", "description": "", "parameters": {"type": "object", "properties": {}},
    }  # fmt: skip


def test_names_come_from_names_and_from_specs_each_once() -> None:
    assert names_in(["a", {"name": "b"}, "a", 3, {}, "", {"name": None}]) == ["a", "b"]
    assert names_in("a") == names_in(None) == []


def test_what_is_missing_is_told() -> None:
    assert missing(["a", "b"], {"a": ToolSpec("a")}) == ("#FALLBACK tool b is not installed",)
