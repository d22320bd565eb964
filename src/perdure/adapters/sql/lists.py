"""Lists of runs, and what a summary shows of one."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, case, func, or_, select, tuple_

from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.encode import dumps, json_of, loads, open_effect
from perdure.adapters.sql.header import SHOWN, header_of, stored_blocked
from perdure.adapters.sql.offload import PLACE
from perdure.adapters.sql.statements import Sql, among
from perdure.adapters.sql.tables import UNDER_WAY, outbox, runs
from perdure.errors import Invalid
from perdure.ids import Key
from perdure.kernel.model import TERMINAL
from perdure.kernel.values import Json
from perdure.stores.blocked import Blocked
from perdure.stores.runs import Header, RunPage, RunQuery

COLUMNS: Final = ("pk", *SHOWN)
_SHOW: Final = select(*(runs.c[name] for name in COLUMNS))
SHOW_ONE: Final = Sql(_SHOW.where(runs.c.id == bindparam("_id")))
_NEWEST: Final = _SHOW.order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(bindparam("_limit"))  # fmt: skip
# Of each run that effect which tells most: one under way before one that waits to be tried again, then the oldest.
_RETRYING: Final = outbox.c.holder.is_(None) & outbox.c.attempts.is_not(None)
_RANKED: Final = (
    select(
        outbox.c.run, outbox.c.key, func.row_number().over(
            partition_by=outbox.c.run, order_by=(case((_RETRYING, 1), else_=0), outbox.c.seq)
        ).label("place"),
    )
    .where(among(outbox.c.run, "pks"), UNDER_WAY)
    .subquery()
)  # fmt: skip
_UNDER_WAY_FIRST: Final = Sql(
    select(
        outbox.c.run, outbox.c.key, outbox.c.lease_until, _RETRYING, outbox.c.body
    )
    .join(_RANKED, (_RANKED.c.run == outbox.c.run) & (_RANKED.c.key == outbox.c.key))
    .where(_RANKED.c.place == 1)
)  # fmt: skip
_LIKE: Final = str.maketrans({"%": "!%", "_": "!_", "!": "!!"})

_FILTERS: Final[Mapping[str, ColumnElement[bool]]] = {
    "status": runs.c.status == bindparam("status"),
    "workflow_id": runs.c.workflow_id == bindparam("workflow_id"),
    "session_id": runs.c.session_id == bindparam("session_id"),
    "parent_id": runs.c.parent_id == bindparam("parent_id"),
    "root_id": runs.c.root_id == bindparam("root_id"),
    "program_kind": runs.c.program_kind == bindparam("program_kind"),
    "created_after": runs.c.created_at > bindparam("created_after"),
    "created_before": runs.c.created_at < bindparam("created_before"),
    "root_only": runs.c.parent_id.is_(None),
    "shown": ~runs.c.workflow_id.like("!_!_%", escape="!"),
    "real": runs.c.draft == 0,
    "only_drafts": runs.c.draft == 1,
    "text": or_(*(
        func.lower(column).like(bindparam("text"), escape="!")
        for column in (runs.c.id, runs.c.workflow_id, runs.c.error, runs.c.prompt)
    )),
    "after": tuple_(runs.c.created_at, runs.c.id) < tuple_(bindparam("after_at"), bindparam("after_id")),
}  # fmt: skip


class RunLists:
    """Pages of headers. Each combination of filters is a statement of its own, compiled when first asked."""

    def __init__(self) -> None:
        """Know no combination yet."""
        self._statements: dict[frozenset[str], Sql] = {}

    def page(self, session: Session, query: RunQuery) -> RunPage:
        """Headers, newest first; an output that lies on the disk is shown as its artifact."""
        given = _given(query)
        values = {**given, "_limit": query.limit + 1}
        if query.after is not None:
            values["after_at"], values["after_id"] = _place_of(query.after)
        names = frozenset(given)
        statement = self._statements.get(names)
        if statement is None:
            statement = self._statements[names] = Sql(_filtered(_NEWEST, names))
        rows = rows_of(session.all(statement, **values))
        more = len(rows) > query.limit
        headers = headers_of(session, rows[: query.limit])
        last = headers[-1].birth if more else None
        return RunPage(
            tuple(headers), None if last is None else _cursor_of(last.created_at, last.id)
        )


def _filtered(statement: Select[Any], names: frozenset[str]) -> Select[Any]:
    return statement.where(*(_FILTERS[name] for name in sorted(names)))


def _given(query: RunQuery) -> dict[str, object]:
    """The filters of a query by name, with their values."""
    asked = {
        "status": None if query.status is None else query.status.value, "workflow_id": query.workflow_id,
        "session_id": query.session_id, "parent_id": query.parent_id, "root_id": query.root_id,
        "program_kind": query.program_kind,
        "created_after": query.created_after, "created_before": query.created_before, "after": query.after,
        "text": None if not query.text else f"%{query.text.lower().translate(_LIKE)}%",
        "root_only": query.root_only or None, "shown": None if query.hidden or query.workflow_id else True,
        "real": None if query.drafts else True, "only_drafts": query.only_drafts or None,
    }  # fmt: skip
    return {name: value for name, value in asked.items() if value is not None}


def _cursor_of(created_at: str, run_id: str) -> str:
    return urlsafe_b64encode(dumps([created_at, run_id])).decode().rstrip("=")


def _place_of(cursor: str) -> tuple[str, str]:
    """Where a page begins. Raises `Invalid` for what is no cursor of ours."""
    try:
        created_at, run_id = loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (NotBase64, ValueError, TypeError) as wrong:
        raise Invalid("`after` is not a cursor of this list") from wrong
    if not (isinstance(created_at, str) and isinstance(run_id, str)):
        raise Invalid("`after` is not a cursor of this list")
    return created_at, run_id


def rows_of(rows: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Rows by the names of their columns."""
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def headers_of(session: Session, rows: Sequence[Mapping[str, Any]]) -> list[Header]:
    """Headers, with what they wait for; one more query where effects are under way."""
    moving = [row["pk"] for row in rows if row["blocked"] is None and row["status"] not in TERMINAL]
    effects = _effects(session, moving) if moving else {}
    return [
        header_of(row, stored_blocked(row) or effects.get(row["pk"]), _output(row)) for row in rows
    ]


def _output(row: Mapping[str, Any]) -> Json:
    if row["output_artifact"] is not None:
        return {PLACE: row["output_artifact"]}
    return json_of(row["output"])


def _effects(session: Session, pks: list[int]) -> dict[int, Blocked]:
    """What runs wait for that only perform effects."""
    blocked: dict[int, Blocked] = {}
    for pk, key, lease_until, retrying, body in session.all(_UNDER_WAY_FIRST, pks=pks):
        entry = open_effect(key, body, review=False)
        kind = entry.what.kind
        if retrying:
            told = Blocked("retry", entry.at, f"{kind} is tried again at {lease_until}", Key(key))
        else:
            told = Blocked("effect", entry.at, f"{kind} is under way", Key(key))
        blocked[pk] = told
    return blocked
