"""A run that was lived elsewhere, written down as it was: its row, its inputs, its records."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import bindparam, select

from perdure.adapters.content import Content
from perdure.adapters.sql import commit_rows as sql
from perdure.adapters.sql.audit_pending import keep
from perdure.adapters.sql.counters import RUNS, take
from perdure.adapters.sql.dialect import Session, Write
from perdure.adapters.sql.header import always_row, birth_row
from perdure.adapters.sql.heads import Head
from perdure.adapters.sql.offload import Offloading
from perdure.adapters.sql.plan import sometimes_row
from perdure.adapters.sql.statements import Row, Sql
from perdure.adapters.sql.tables import runs
from perdure.errors import RunExists
from perdure.stores.records import GENESIS
from perdure.stores.runs import Adopted

_HERE: Final = Sql(select(runs.c.head_hash).where(runs.c.id == bindparam("_id")))


def adoption(adopted: Adopted, content: Content) -> Callable[[Session], bool]:
    """What writes it in one transaction, and says whether it was new. Raises `RunExists`."""
    run, records = adopted.run, adopted.records
    head_hash = records[-1].hash if records else GENESIS

    def work(session: Session) -> bool:
        here = session.first(_HERE, _id=run.id)
        if here is not None:
            if bytes(here[0]) != head_hash:
                raise RunExists(run_id=run.id)
            return False
        offloading = Offloading(content, run.id)
        body, size = offloading.cells(adopted.cells)
        pk = take(session, RUNS)
        head = Head(pk, run.version, run.seq, head_hash, 0, 0, size, whole=True)
        session.write([
            Write(sql.BEAR_RUN, [(
                pk, *birth_row(run.birth), *always_row(run, head_hash, 0),
                *sometimes_row(run, head, offloading), None, None,
            )]),
            Write(sql.ADD_CELLS, [(pk, 0, body)]),
        ])  # fmt: skip
        lines: list[Row] = [(pk, it.seq, it.body, it.detail, it.hash) for it in records]
        if lines:
            session.write([Write(sql.ADD_RECORD, lines)])
        keep(session, adopted.entry)
        return True

    return work
