"""Templates, by example."""

import pytest

from perdure.kernel.values import Json
from tests.support.drawing import a_flow, a_start, a_value, an_end
from tests.support.flowing import Flowing, made, refused

FORMAT: dict[str, tuple[str, Json, str]] = {
    "a name": ("hello {name}", {"name": "Ada"}, "hello Ada"),
    "a path": ("{user[name]} {user.age} {list[1]}", {"user": {"name": "Ada", "age": 36}, "list": [1, 2]}, "Ada 36 2"),
    "braces": ("{{{name}}}", {"name": "x"}, "{x}"),
    "a width": ("{n:>4}|{x:.2f}|{s:*^5}", {"n": 7, "x": 1.5, "s": "a"}, "   7|1.50|**a**"),
    "a conversion": ("{name!r} {none}", {"name": "a", "none": None}, "'a' None"),
    "no object, no filling in": ("{name}", "Ada", "{name}"),
    "no template": ("", {"name": "Ada"}, ""),
}  # fmt: skip

REFUSED_FORMATS = {
    "a name that is not there": "{nobody}",
    "a field without a name": "{}",
    "the inside of a value": "{name.__class__}",
    "the inside of a method": "{name.upper}",
    "a width without end": "{name:>99999}",
    "a width from elsewhere": "{name:{name}}",
    "a letter by its number": "{n:c}",
    "half a field": "{name",
    "a place that is not in the list": "{list[7]}",
    "a conversion that is none": "{name!x}",
}

TEMPLATE: dict[str, tuple[str, Json, str]] = {
    "a path": ("{{ user.name }} is {{user.tags[1]}}", {"user": {"name": "Ada", "tags": ["a", "b"]}}, "Ada is b"),
    "what is missing is empty": ("<{{ nobody.there }}>", {}, "<>"),
    "json, keys in order": ("{{ it | json }}", {"it": {"b": 1, "a": "é"}}, '{"a": "é", "b": 1}'),
    "join": ("{{ it | join }} {{ it | join(\"-\") }} {{ it | join('; ') }}", {"it": [1, None, "x"]}, "1, , x 1--x 1; ; x"),
    "join one": ("{{ it | join('-') }}", {"it": "x"}, "x"),
    "a chain of filters": ("{{ it | trim | upper }}|{{ it | lower }}", {"it": " Ab "}, "AB| ab "),
    "a filter that is not known": ("{{ it | shout }}", {"it": "a"}, "a"),
    "a mark stays on its line": ("{{ a\n}} {{ b }}", {"a": 1, "b": 2}, "{{ a\n}} 2"),
    "nothing to close": ("{{ a", {"a": 1}, "{{ a"),
    "nothing to open": ("a }} {{ b }}", {"b": 2}, "a }} 2"),
    "an empty mark": ("<{{ }}>", {"b": 2}, "<>"),
    "no object": ("<{{ a }}>", "text", "<>"),
}  # fmt: skip


@pytest.mark.parametrize(("template", "values", "expected"), FORMAT.values(), ids=FORMAT)
def test_format(template: str, values: Json, expected: str) -> None:
    assert made(a_value("format"), {"template": template, "values": values}) == expected


@pytest.mark.parametrize("template", REFUSED_FORMATS.values(), ids=REFUSED_FORMATS)
def test_a_format_reaches_nothing_but_the_values(template: str) -> None:
    pins = {"template": template, "values": {"name": "Ada", "n": 65, "list": [1]}}
    assert refused(a_value("format"), pins)


@pytest.mark.parametrize(("template", "values", "expected"), TEMPLATE.values(), ids=TEMPLATE)
def test_string_template(template: str, values: Json, expected: str) -> None:
    assert made(a_value("string_template"), {"template": template, "vars": values}) == expected


@pytest.mark.parametrize("template", ["{{" * 200_000, "{{\n" * 200_000 + "}}", "}}" * 200_000])
def test_a_template_of_nothing_but_marks_takes_no_longer_than_it_is_long(template: str) -> None:
    assert made(a_value("string_template"), {"template": template, "vars": {}}) == template


def test_a_short_template_makes_no_text_past_the_bound() -> None:
    flow = a_flow(
        {"start": a_start("vars"), "it": a_value("string_template"), "end": an_end("seen")},
        "start -> end",
        "start.vars => it.vars",
        "it.result => end.seen",
    )
    flow["nodes"][1]["data"]["pinDefaults"] = {"template": "{{ x }}" * 2_000}
    assert (Flowing(flow).start({"vars": {"x": "y" * 10_000}}).error or "").startswith(
        "limit_reached"
    )
