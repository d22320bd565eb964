"""Searches among artifacts: each combination of filters is one statement, compiled when first asked."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    bindparam,
    func,
    select,
    tuple_,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from perdure.adapters.sql.artifact_rows import COLUMNS, artifact_of
from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.encode import dumps, loads
from perdure.adapters.sql.statements import Row, Sql, among
from perdure.adapters.sql.tables import artifacts
from perdure.errors import Invalid
from perdure.stores.artifacts import TAGS_MAX, Artifact, ArtifactPage, ArtifactQuery, Counted

COUNTED_MAX: Final = (
    10_000  # that are counted, the newest: what lies behind them costs nobody anything
)
FACET_MAX: Final = 100  # values of one facet that are told, the most frequent
FACETS: Final = ("kind", "render", "modality", "content_type", "workflow_id", "node_id", "run_id")
ON_THE_WIRE: Final = {"kind": "semantic_kind", "render": "render_kind"}
_LIKE: Final = str.maketrans({"%": "!%", "_": "!_", "!": "!!"})

_EQUAL: Final = ("owner", "run_id", "session_id", "workflow_id", "node_id", "kind", "modality", "render", "content_type")  # fmt: skip
_FILTERS: Final[Mapping[str, ColumnElement[bool]]] = {
    "ids": among(artifacts.c.id, "ids"),
    **{name: artifacts.c[name] == bindparam(name) for name in _EQUAL},
    "family": artifacts.c.content_type.like(bindparam("family"), escape="!"),
    "text": artifacts.c.words.like(bindparam("text"), escape="!"),
    **{f"tag{n}": artifacts.c.words.like(bindparam(f"tag{n}"), escape="!") for n in range(TAGS_MAX)},
    "created_after": artifacts.c.created_at > bindparam("created_after"),
    "created_before": artifacts.c.created_at < bindparam("created_before"),
}  # fmt: skip


class Form(NamedTuple):
    """What a statement is made for: the filters that are given, the order, and whether a page went before."""

    names: frozenset[str]
    by_size: bool = False
    ascending: bool = False
    follows: bool = False


class Counts(NamedTuple):
    """The statements for one set of filters, none of which goes past a bound."""

    finding: Sql
    counting: Sql
    reading: Sql


class Searches:
    """Pages of artifacts and counts of their sorts."""

    def __init__(self) -> None:
        """Know no statement yet."""
        self._pages: dict[Form, Sql] = {}
        self._counts: dict[frozenset[str], Counts] = {}

    def page(self, session: Session, query: ArtifactQuery) -> ArtifactPage:
        """Artifacts in the order that is asked for, and how many there are."""
        given, total = self._narrowed(session, given_of(query))
        values: dict[str, object] = {**given, "_limit": query.limit + 1, "_offset": query.offset}
        form = Form(frozenset(given), query.by_size, query.ascending, query.after is not None)
        if query.after is not None:
            values["after_at"], values["after_id"] = _place_of(query.after, form.by_size)
        rows = session.all(self.statement(form), **values)
        items = [artifact_of(row) for row in rows[: query.limit]]
        following = _cursor_of(items[-1], form.by_size) if len(rows) > query.limit else None
        if total is None:
            last = following is None and not form.follows and (items or not query.offset)
            total = query.offset + len(items) if last else self._total(session, given)
        return ArtifactPage(items, min(total, COUNTED_MAX), following, total <= COUNTED_MAX)

    def _narrowed(
        self, session: Session, given: Mapping[str, object]
    ) -> tuple[Mapping[str, object], int | None]:
        """What is asked, by the ids of what has the words where they are few enough, and how many they are.

        Words have no index: what is left by the other filters is looked through, once.
        """
        if "text" not in given and "tag0" not in given:
            return given, None
        finding = self.counts(frozenset(given)).finding
        found = [row[0] for row in session.all(finding, **given, _bound=COUNTED_MAX + 1)]
        return ({"ids": found} if len(found) <= COUNTED_MAX else given), len(found)

    def _total(self, session: Session, given: Mapping[str, object]) -> int:
        counting = self.counts(frozenset(given)).counting
        told = session.first(counting, **given, _bound=COUNTED_MAX + 1)
        assert told is not None, "a count is always answered"
        return int(told[0])

    def statement(self, form: Form) -> Sql:
        """The statement of a page."""
        if form not in self._pages:
            self._pages[form] = Sql(_page(form))
        return self._pages[form]

    def counts(self, names: frozenset[str]) -> Counts:
        """The statements that find, count, and read what is counted by sort."""
        if names not in self._counts:
            bound: BindParameter[int] = bindparam("_bound")
            some = _filtered(select(artifacts.c.id), names).limit(bound)
            columns = [artifacts.c[name] for name in (*FACETS, "size_bytes")]
            order = (artifacts.c.created_at.desc(), artifacts.c.id.desc())
            self._counts[names] = Counts(
                Sql(some),
                Sql(select(func.count()).select_from(some.subquery())),
                Sql(_filtered(select(*columns), names).order_by(*order).limit(bound)),
            )
        return self._counts[names]

    def count(self, session: Session, query: ArtifactQuery) -> Counted:
        """How many of the newest a query is about, by sort."""
        given, _ = self._narrowed(session, given_of(query))
        reading = self.counts(frozenset(given)).reading
        rows = session.all(reading, **given, _bound=COUNTED_MAX + 1)
        counted = rows[:COUNTED_MAX]
        facets = {
            ON_THE_WIRE.get(name, name): _facet(counted, place) for place, name in enumerate(FACETS)
        }
        return Counted(
            len(counted), sum(row[-1] for row in counted), facets, len(rows) <= COUNTED_MAX
        )


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
    statement: Select[Any] = _filtered(select(*COLUMNS), form.names)
    columns: ReadOnlyColumnCollection[str, Any] = artifacts.c
    if (
        "ids" in form.names
    ):  # first those, then their order: Postgres would walk the order until it meets them
        some = statement.cte("some").prefix_with("MATERIALIZED")
        statement, columns = select(*some.c), some.c
    column, own = columns["size_bytes" if form.by_size else "created_at"], columns.id
    if form.follows:
        place, last = tuple_(column, own), tuple_(bindparam("after_at"), bindparam("after_id"))
        statement = statement.where(place > last if form.ascending else place < last)
    order = (column, own) if form.ascending else (column.desc(), own.desc())
    return statement.order_by(*order).limit(bindparam("_limit")).offset(bindparam("_offset"))


def _facet(rows: Sequence[Row], place: int) -> dict[str, int]:
    counter = Counter(row[place] for row in rows if row[place])
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
