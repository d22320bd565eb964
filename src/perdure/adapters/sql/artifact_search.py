"""Searches among artifacts: each combination of filters is one statement, compiled when first asked."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, func, select, tuple_

from perdure.adapters.sql.artifact_rows import COLUMNS, artifact_of
from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.encode import dumps, loads
from perdure.adapters.sql.statements import Row, Sql
from perdure.adapters.sql.tables import artifacts
from perdure.errors import Invalid
from perdure.stores.artifacts import TAGS_MAX, Artifact, ArtifactPage, ArtifactQuery, Counted

GROUPS_MAX: Final = 10_000  # combinations of sorts that are counted
FACET_MAX: Final = 100  # values of one facet that are told, the most frequent
FACETS: Final = ("kind", "render", "modality", "content_type", "workflow_id", "node_id")
ON_THE_WIRE: Final = {"kind": "semantic_kind", "render": "render_kind"}
_LIKE: Final = str.maketrans({"%": "!%", "_": "!_", "!": "!!"})

_EQUAL: Final = ("owner", "run_id", "session_id", "workflow_id", "node_id", "kind", "modality", "render", "content_type")  # fmt: skip
_FILTERS: Final[Mapping[str, ColumnElement[bool]]] = {
    **{name: artifacts.c[name] == bindparam(name) for name in _EQUAL},
    "family": artifacts.c.content_type.like(bindparam("family"), escape="!"),
    "text": artifacts.c.words.like(bindparam("text"), escape="!"),
    **{f"tag{n}": artifacts.c.words.like(bindparam(f"tag{n}"), escape="!") for n in range(TAGS_MAX)},
    "created_after": artifacts.c.created_at > bindparam("created_after"),
    "created_before": artifacts.c.created_at < bindparam("created_before"),
}  # fmt: skip
_ORDERS: Final = {False: artifacts.c.created_at, True: artifacts.c.size_bytes}


class Form(NamedTuple):
    """What a statement is made for: the filters that are given, the order, and whether a page went before."""

    names: frozenset[str]
    by_size: bool = False
    ascending: bool = False
    follows: bool = False


class Searches:
    """Pages of artifacts and counts of their sorts."""

    def __init__(self) -> None:
        """Know no statement yet."""
        self._pages: dict[Form, Sql] = {}
        self._counts: dict[frozenset[str], tuple[Sql, Sql, Sql]] = {}

    def page(self, session: Session, query: ArtifactQuery) -> ArtifactPage:
        """Artifacts in the order that is asked for, and how many there are."""
        given = given_of(query)
        names = frozenset(given)
        values: dict[str, object] = {**given, "_limit": query.limit + 1, "_offset": query.offset}
        form = Form(names, query.by_size, query.ascending, query.after is not None)
        if query.after is not None:
            values["after_at"], values["after_id"] = _place_of(query.after, form.by_size)
        rows = session.all(self.statement(form), **values)
        total = session.first(self.counting(names)[0], **given)
        assert total is not None, "a count is always answered"
        items = [artifact_of(row) for row in rows[: query.limit]]
        more = len(rows) > query.limit
        return ArtifactPage(items, total[0], _cursor_of(items[-1], form.by_size) if more else None)

    def statement(self, form: Form) -> Sql:
        """The statement of a page."""
        if form not in self._pages:
            self._pages[form] = Sql(_page(form))
        return self._pages[form]

    def counting(self, names: frozenset[str]) -> tuple[Sql, Sql, Sql]:
        """The statements that count: all, by sort, and by run."""
        if names not in self._counts:
            columns = [artifacts.c[name] for name in FACETS]
            count, size = func.count(), func.sum(artifacts.c.size_bytes)
            runs = select(artifacts.c.run_id, count).where(artifacts.c.run_id.is_not(None))
            self._counts[names] = (
                Sql(_filtered(select(count).select_from(artifacts), names)),
                Sql(
                    _filtered(select(*columns, count, size), names)
                    .group_by(*columns)
                    .limit(GROUPS_MAX)
                ),
                Sql(
                    _filtered(runs, names)
                    .group_by(artifacts.c.run_id)
                    .order_by(count.desc(), artifacts.c.run_id)
                    .limit(FACET_MAX)
                ),
            )
        return self._counts[names]

    def count(self, session: Session, query: ArtifactQuery) -> Counted:
        """How many a query is about, by sort."""
        given = given_of(query)
        _, by_sort, by_run = self.counting(frozenset(given))
        rows = session.all(by_sort, **given)
        facets: dict[str, Mapping[str, int]] = {
            ON_THE_WIRE.get(name, name): _facet(rows, place) for place, name in enumerate(FACETS)
        }
        facets["run_id"] = dict(session.all(by_run, **given))
        return Counted(sum(row[-2] for row in rows), sum(int(row[-1]) for row in rows), facets)


def given_of(query: ArtifactQuery) -> dict[str, object]:
    """The filters of a query by name, with their values."""
    given: dict[str, object] = {
        name: value
        for name in (*_EQUAL, "created_after", "created_before")
        if (value := getattr(query, name)) is not None
    }
    kind = query.content_type or ""
    if kind.endswith("/*"):
        del given["content_type"]
        given["family"] = kind.removesuffix("*").translate(_LIKE) + "%"
    if query.text:
        given["text"] = f"%{query.text.lower().translate(_LIKE)}%"
    for n, (name, value) in enumerate([*query.tags.items()][:TAGS_MAX]):
        given[f"tag{n}"] = f"%\n{f'{name}={value}'.lower().translate(_LIKE)}\n%"
    return given


def _filtered(statement: Select[Any], names: frozenset[str]) -> Select[Any]:
    return statement.where(*(_FILTERS[name] for name in sorted(names)))


def _page(form: Form) -> Select[Any]:
    """A page of rows; of the index of its order no more is read than that."""
    column, own = _ORDERS[form.by_size], artifacts.c.id
    statement = _filtered(select(*COLUMNS), form.names)
    if form.follows:
        place, last = tuple_(column, own), tuple_(bindparam("after_at"), bindparam("after_id"))
        statement = statement.where(place > last if form.ascending else place < last)
    order = (column, own) if form.ascending else (column.desc(), own.desc())
    return statement.order_by(*order).limit(bindparam("_limit")).offset(bindparam("_offset"))


def _facet(rows: list[Row], place: int) -> dict[str, int]:
    counter: Counter[str] = Counter()
    for row in rows:
        if row[place]:
            counter[row[place]] += row[-2]
    return dict(counter.most_common(FACET_MAX))


def _cursor_of(artifact: Artifact, by_size: bool) -> str:
    value = artifact.size_bytes if by_size else artifact.created_at
    return urlsafe_b64encode(dumps([value, artifact.id])).decode().rstrip("=")


def _place_of(cursor: str, by_size: bool) -> tuple[object, str]:
    """Where a page begins. Raises `Invalid` for what is no cursor of ours."""
    try:
        value, artifact_id = loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (NotBase64, ValueError, TypeError) as wrong:
        raise Invalid("`cursor` is not one of this list") from wrong
    if type(value) is not (int if by_size else str) or not isinstance(artifact_id, str):
        raise Invalid("`cursor` is not one of this list")
    return value, artifact_id
