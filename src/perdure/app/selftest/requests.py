"""Requests of a trial: a row with ids in their places."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from perdure.app.selftest import kinds
from perdure.app.selftest.answers import Answer, like
from perdure.app.selftest.document import Asked
from perdure.app.selftest.people import Person, new_name
from perdure.app.selftest.things import LETTERS, Things, bundle_named, cursor_like, file_of

Values = Mapping[str, str]


class Request(NamedTuple):
    """What is sent."""

    method: str
    path: str
    more: dict[str, Any]

    async def by(self, person: Person) -> Answer:
        """Send it as somebody."""
        return await person.ask(self.method, self.path, **self.more)


def request_of(asked: Asked, values: Values, person: Person) -> Request:
    """The request of a row with these ids, as this person makes it."""
    row = asked.row
    given = {**row.fill, **values}
    given |= {place: given[other] for place, other in row.repeats.items() if other in given}
    path = asked.operation.path
    for place, value in given.items():
        kind, _, name = place.partition(".")
        if kind == "path":
            path = path.replace("{" + name + "}", quote(value, safe=""))
    more: dict[str, Any] = {
        "params": {**row.query, **_of("query", given)},
        "headers": _of("header", given),
    }
    if row.body is not None:
        more["json"] = _body(row.body, _of("body", given), person)
    if sent := _sent(asked, given):
        more["files"] = sent
        fields = {name: it for name, it in given.items() if "." not in name and name != "file"}
        more |= {"data": fields} if fields else {}
    return Request(row.method, path, more)


def _sent(asked: Asked, given: Values) -> dict[str, Any]:
    """The file that goes along: an export, a bundle of a name, or one with something new in it each time."""
    if "file" in given:
        if asked.ids["file"] == (kinds.EXPORT,):
            return {"file": ("run.zip", given["file"].encode(LETTERS), "application/zip")}
        return file_of(given["file"], bundle_named(given["file"]))
    name = new_name("file")
    return {"file": (f"{name}.txt", name.encode(), "text/plain")} if asked.row.file else {}


def _of(kind: str, values: Values) -> dict[str, str]:
    """The values that stand in one part of a request, by their names there."""
    prefix = f"{kind}."
    return {
        place.removeprefix(prefix): value
        for place, value in values.items()
        if place.startswith(prefix)
    }


def _body(body: Mapping[str, Any], values: Values, person: Person) -> Any:
    own = {"{user}": person.name, "{token}": person.token or "none", "{tenant}": person.tenant}
    written = _written(body, own)
    for place, value in values.items():
        _put(written, place.split("."), value)
    return written


def _written(value: Any, own: Mapping[str, str]) -> Any:
    """A copy, in which the asker's own stand."""
    match value:
        case Mapping():
            return {name: _written(inner, own) for name, inner in value.items()}
        case list():
            return [_written(inner, own) for inner in value]
        case str():
            return own.get(value, value)
        case _:
            return value


def _put(into: Any, names: list[str], value: str) -> None:
    """Put a value at its place in a body, with the objects on the way to it."""
    first, *rest = names
    key: Any = int(first) if isinstance(into, list) else first
    if not rest:
        into[key] = value
    else:
        if isinstance(into, dict):
            into.setdefault(key, {})
        _put(into[key], rest, value)


async def values_of(asked: Asked, things: Things, *, whole: bool) -> dict[str, str]:
    """What a request needs of somebody's things. `whole`: with the tenant, which may be left out."""
    places = set(asked.required())
    if whole:
        places |= {place for place, named in asked.ids.items() if named == (kinds.TENANT,)}
    found = {place: await things.get(asked.ids[place][0]) for place in asked.ids if place in places}
    return found | {place: like(found[place]) for place in asked.row.new if place in found}


def another(kind: str) -> Callable[[str], str]:
    """What makes an id of a kind that nothing has."""
    return _another_cursor if kind == kinds.CURSOR else like


def _another_cursor(cursor: str) -> str:
    return cursor_like(cursor, like)
