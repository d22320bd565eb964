"""The heads of runs as the writer remembers them, so that a step reads nothing before it writes."""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct
from sqlalchemy import select

from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.statements import Sql, among
from perdure.adapters.sql.tables import runs
from perdure.ids import RunId

HEADS_MAX: Final = 20_000


class Head(Struct, frozen=True):
    """Where a run's row stands. `plain`: it is known to say that the run only performs effects."""

    pk: int
    version: int
    seq: int
    hash: bytes
    bytes_since: int
    snapshot_seq: int
    snapshot_bytes: int
    whole: bool  # every write is in a record
    plain: bool = False

    @property
    def place(self) -> tuple[int, int, int, bytes]:
        """Which record of which run stands last."""
        return self.pk, self.version, self.seq, self.hash


_FIND: Final = Sql(
    select(
        runs.c.id, runs.c.pk, runs.c.version, runs.c.head_seq, runs.c.head_hash, runs.c.bytes_since,
        runs.c.snapshot_seq, runs.c.snapshot_bytes, runs.c.unrecorded.is_(None),
    ).where(among(runs.c.id, "ids"))
)  # fmt: skip


class Heads:
    """A memory of heads. It may be behind where others write too: the versions in the rows decide."""

    def __init__(self) -> None:
        """Know none."""
        self._heads: dict[RunId, Head] = {}

    def known(self, run_ids: Iterable[RunId]) -> dict[RunId, Head]:
        """Those of the heads that are remembered."""
        heads = self._heads
        return {run_id: heads[run_id] for run_id in run_ids if run_id in heads}

    def find(self, session: Session, run_ids: Iterable[RunId]) -> dict[RunId, Head]:
        """Read heads; runs that are not there are left out."""
        rows = session.all(_FIND, ids=list(run_ids))
        return {
            run_id: Head(pk, version, seq, digest, since, snapshot_seq, size, bool(whole))
            for run_id, pk, version, seq, digest, since, snapshot_seq, size, whole in rows
        }

    def keep(self, heads: Mapping[RunId, Head], ended: Iterable[RunId]) -> None:
        """Remember heads as committed, and forget those of runs that have ended."""
        self._heads.update(heads)
        for run_id in ended:
            self._heads.pop(run_id, None)
        while len(self._heads) > HEADS_MAX:
            del self._heads[next(iter(self._heads))]

    def forget(self, run_ids: Iterable[RunId]) -> None:
        """Know nothing of these any more."""
        for run_id in run_ids:
            self._heads.pop(run_id, None)
