"""The document of the API, walked: every operation with every field in which an id may stand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perdure.app.selftest.kinds import FIELDS, Kinds
from perdure.app.selftest.rows import Row

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its fields by their places, such as `path.run_id`, and which of them it requires."""

    method: str
    path: str
    fields: tuple[str, ...]
    required: frozenset[str]
    at_home: bool = False  # open to those who show no credential, from the machine itself

    @property
    def route(self) -> str:
        """How people call it."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation with its row: which ids stand where."""

    operation: Operation
    row: Row
    ids: Mapping[str, Kinds]

    @property
    def route(self) -> str:
        """How people call it."""
        return self.operation.route

    @property
    def makes(self) -> bool:
        """Whether it makes something under another's name, where that is free."""
        return self.row.makes or bool(self.row.new)

    @property
    def public(self) -> bool:
        """Whether it is open to those who show no credential."""
        return self.row.public or (self.row.at_home and self.operation.at_home)

    def required(self) -> tuple[str, ...]:
        """The places of ids that a request cannot do without."""
        needed = {*self.operation.required, *self.row.needs, *self.row.new}
        return tuple(place for place in self.ids if place in needed)


def operations_of(document: Document) -> list[Operation]:
    """Every operation of a document."""
    return [
        _operation(document, method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def _operation(document: Document, method: str, path: str, told: Mapping[str, Any]) -> Operation:
    found = {
        f"{it['in']}.{it['name'].lower() if it['in'] == 'header' else it['name']}": it.get("required", False)
        for it in told.get("parameters", ())
    }  # fmt: skip
    for media, content in told.get("requestBody", {}).get("content", {}).items():
        prefix = "" if media.startswith("multipart/") else "body."
        found |= {prefix + name: must for name, must in _members(document, content["schema"])}
    required = frozenset(name for name, must in found.items() if must)
    at_home = {} in told.get("security", ())
    return Operation(method, path, tuple(found), required, at_home)


def _members(document: Document, schema: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """The fields of a body, those of the objects in its lists too, and whether each is required."""
    shape = _shape(document, schema)
    must = shape.get("required", ())
    for name, member in shape.get("properties", {}).items():
        inner = _shape(document, member)
        if inner.get("type") == "array" and "properties" in _shape(document, inner["items"]):
            for below, needed in _members(document, inner["items"]):
                yield f"{name}.0.{below}", needed and name in must
        elif "properties" in inner:
            for below, needed in _members(document, inner):
                yield f"{name}.{below}", needed and name in must
        else:
            yield name, name in must


def _shape(document: Document, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema itself, where it is named or may be null."""
    if "$ref" in schema:
        return _shape(
            document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        )
    others = [it for it in schema.get("anyOf", ()) if it.get("type") != "null"]
    return _shape(document, others[0]) if others else schema


def asked_of(document: Document, rows: Sequence[Row]) -> tuple[list[Asked], list[str]]:
    """Every row with its operation, and what is missing in the tables, each with the line to write."""
    asked: list[Asked] = []
    missing: list[str] = []
    for operation in operations_of(document):
        own = [row for row in rows if (row.method, row.path) == (operation.method, operation.path)]
        if not own:
            missing.append(
                f"{operation.route} has no row: write one in app/selftest/rows.py, with the body that it"
                " takes, `admin=True` where it is for admins alone, and what it needs."
            )
        for row in own:
            ids = _ids(operation, row)
            missing += _unknown(operation, ids)
            known = {
                place: named for place, named in ids.items() if named and place not in row.repeats
            }
            asked.append(Asked(operation, row, known))
    return asked, sorted(set(missing))


def stale(asked: Sequence[Asked], rows: Sequence[Row]) -> list[str]:
    """Rows of routes that are not there."""
    there = {id(it.row) for it in asked}
    return [f"{row.route} is no route: take its row out." for row in rows if id(row) not in there]


def _ids(operation: Operation, row: Row) -> dict[str, Kinds | None]:
    """What each place of an operation names; `None` where nobody has said it."""
    found: dict[str, Kinds | None] = {
        place: row.ids.get(place, FIELDS.get(place.rpartition(".")[2])) for place in operation.fields
    }  # fmt: skip
    return found | {place: named for place, named in row.ids.items() if _is_inside(place, found)}


def _is_inside(place: str, fields: Mapping[str, Any]) -> bool:
    """Whether a place of a row is in a field of the operation: an id in free JSON."""
    return any(place.startswith(f"{field}.") for field in fields)


def _unknown(operation: Operation, ids: Mapping[str, Kinds | None]) -> list[str]:
    return [
        f"{operation.route} has the field {place!r}: say in `FIELDS` of app/selftest/kinds.py of which kind"
        " the thing is that it names, or that it names none; a new kind needs a maker in"
        " app/selftest/things.py."
        for place, named in ids.items()
        if named is None
    ]
