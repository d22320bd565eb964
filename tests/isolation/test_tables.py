"""The tables of the trial know every route and every field, and say what to write where they do not."""

from pathlib import Path
from typing import Any

import pytest

from perdure.api.app import routes_of
from perdure.app.selftest.document import asked_of, operations_of, stale
from perdure.app.selftest.kinds import FIELDS
from perdure.app.selftest.rows import ROWS, Row
from perdure.app.selftest.things import MAKERS
from tests.isolation.gateway import a_gateway_of_many

# Routes that the document leaves out: themselves a document, or what pages are made of.
NOT_TOLD = {"/openapi.json", "/pages/{name}"}


def a_document(**paths: Any) -> dict[str, Any]:
    """A document of these paths, `__` for a slash."""
    return {"paths": {path.replace("__", "/"): told for path, told in paths.items()}}


RUN_ID = {"in": "path", "name": "run_id", "required": True}


@pytest.mark.anyio
async def test_the_tables_know_the_whole_document_and_nothing_else(tmp_path: Path) -> None:
    async with a_gateway_of_many(tmp_path) as (app, _):
        document = app.api.openapi()
        routes = {(method, it.path) for it in routes_of(app.api) for method in it.methods or ()}
    asked, missing = asked_of(document, ROWS)
    assert missing == []
    assert stale(asked, ROWS) == []
    told = {(it.method, it.path) for it in operations_of(document)}
    assert {path for _, path in routes - told} <= NOT_TOLD


def test_a_route_without_a_row_is_missed() -> None:
    _, missing = asked_of(a_document(__new={"get": {}}), ROWS)
    (line,) = missing
    assert line.startswith("GET /new has no row: write one in app/selftest/rows.py")


def test_a_field_that_nobody_has_named_is_missed() -> None:
    parameters = [RUN_ID, {"in": "query", "name": "friend_id"}]
    document = a_document(__runs={"get": {"parameters": parameters}})
    asked, missing = asked_of(document, [Row("GET //runs")])
    (line,) = missing
    assert line.startswith("GET /runs has the field 'query.friend_id'")
    assert "app/selftest/kinds.py" in line
    assert asked[0].ids == {"path.run_id": ("run",)}


def test_fields_of_bodies_are_found_in_lists_and_behind_names() -> None:
    pair = {"type": "object", "properties": {"run_id": {"type": "string"}}, "required": ["run_id"]}
    body = {
        "type": "object", "required": ["runs"],
        "properties": {"runs": {"type": "array", "items": {"$ref": "#/components/schemas/Pair"}},
                       "flow_id": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    }  # fmt: skip
    content = {"application/json": {"schema": {"anyOf": [body, {"type": "null"}]}}}
    document = a_document(__batch={"post": {"requestBody": {"content": content}}})
    (operation,) = operations_of({**document, "components": {"schemas": {"Pair": pair}}})
    assert operation.fields == ("body.runs.0.run_id", "body.flow_id")
    assert operation.required == {"body.runs.0.run_id"}


def test_a_row_whose_route_is_gone_is_told() -> None:
    rows = [Row("GET //runs"), Row("GET //gone")]
    asked, _ = asked_of(a_document(__runs={"get": {}}), rows)
    assert stale(asked, rows) == ["GET //gone is no route: take its row out."]


def test_each_kind_of_thing_is_made_or_comes_with_its_person() -> None:
    named = {kind for kinds in FIELDS.values() for kind in kinds}
    named |= {kind for row in ROWS for kinds in row.ids.values() for kind in kinds}
    assert named - MAKERS.keys() == {"user", "tenant", "runtime"}
