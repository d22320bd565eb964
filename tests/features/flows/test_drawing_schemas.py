"""Drawings on the wire: what an editor draws beside is kept, what is not named stays, answers are bounded."""

from typing import Any

import pytest
from pydantic import ValidationError

from perdure.features.flows.checks import EDGES_MAX, NODES_MAX, Problem
from perdure.features.flows.drawing_schemas import (
    DESCRIPTION_LETTERS_MAX,
    INTERFACES_MAX,
    PROBLEMS_SHOWN,
    SHOWN,
    ChangedDrawing,
    NewDrawing,
    PublishDrawing,
    check_of,
    checked_of,
    drawing_of,
)
from perdure.stores.drawings import Drawing

NODE = {"id": "a", "type": "on_flow_start"}
EDGE = {"source": "a", "sourceHandle": "exec-out", "target": "b", "targetHandle": "exec-in"}


def problems(count: int) -> list[Problem]:
    """As many as are asked for."""
    return [Problem("f", f"n{number}", "answer", "bad", "why") for number in range(count)]


def test_a_new_drawing_has_every_part_and_keeps_what_its_editor_drew_beside() -> None:
    node = {**NODE, "position": {"x": 1, "y": 2}}
    named = NewDrawing.model_validate({"name": "it", "nodes": [node]}).named()
    assert named == {**SHOWN, "name": "it", "nodes": [node]}


def test_a_change_names_what_changes_and_nothing_else() -> None:
    assert ChangedDrawing.model_validate({}).named() == {}
    changed = ChangedDrawing.model_validate({"description": "", "entryNode": None})
    assert changed.named() == {"description": "", "entryNode": None}


@pytest.mark.parametrize(
    ("part", "one"),
    [
        ({"description": "x" * DESCRIPTION_LETTERS_MAX}, {"description": "x"}),
        ({"interfaces": ["i"] * INTERFACES_MAX}, {"interfaces": ["i"]}),
        ({"nodes": [NODE] * NODES_MAX}, {"nodes": [NODE]}),
        ({"edges": [EDGE] * EDGES_MAX}, {"edges": [EDGE]}),
    ],
    ids=["description", "interfaces", "nodes", "edges"],
)
def test_each_part_has_a_most(part: dict[str, Any], one: dict[str, Any]) -> None:
    NewDrawing.model_validate({"name": "it", **part})
    ((name, value),) = part.items()
    with pytest.raises(ValidationError):
        NewDrawing.model_validate({"name": "it", name: value + one[name]})


@pytest.mark.parametrize(
    "body",
    [
        {"nmae": "it"},
        {"name": ""},
        {"nodes": [{"id": "a"}]},
        {"nodes": [{**NODE, "id": ""}]},
        {"edges": [{**EDGE, "target": ""}]},
    ],
    ids=["unknown", "nameless", "no type", "no id", "loose edge"],
)
def test_what_no_editor_could_show_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChangedDrawing.model_validate(body)


def test_a_drawing_is_shown_with_every_field_though_its_author_named_few() -> None:
    drawing = Drawing("d", {"name": "it", "nodes": [NODE]}, "then", "now")
    assert drawing_of(drawing) == {
        "id": "d", "name": "it", "description": "", "interfaces": [], "nodes": [NODE], "edges": [],
        "entryNode": None, "created_at": "then", "updated_at": "now",
    }  # fmt: skip


def test_of_many_problems_an_answer_has_the_first() -> None:
    drawing = Drawing("d", {"name": "it"}, "then", "now")
    for answer in (
        check_of(problems(PROBLEMS_SHOWN + 1)),
        checked_of(drawing, problems(PROBLEMS_SHOWN + 1)),
    ):
        told = answer["problems"]
        assert len(told) == PROBLEMS_SHOWN
        assert told[0]["node_id"] == "n0"
    assert len(check_of(problems(PROBLEMS_SHOWN))["problems"]) == PROBLEMS_SHOWN
    assert (check_of(problems(1))["ok"], check_of([])["ok"]) == (False, True)


def test_publishing_takes_the_next_version_and_replaces_nothing_unless_told() -> None:
    asked = PublishDrawing().asked("key")
    assert tuple(asked) == (None, None, False, "key")
