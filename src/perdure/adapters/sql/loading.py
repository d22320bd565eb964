"""Runs brought back whole: header, open keys and cells, many at once in a handful of queries."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy import bindparam, select

from perdure.adapters.content import Content
from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.encode import limits_of, loads, open_effect, open_wait
from perdure.adapters.sql.header import ALWAYS, BIRTH, SOMETIMES, run_of
from perdure.adapters.sql.offload import PLACE
from perdure.adapters.sql.statements import Sql, among
from perdure.adapters.sql.tables import UNDER_WAY, artifacts, cells, ledger, outbox, runs, waits
from perdure.ids import Key, RunId
from perdure.kernel.model import GONE, Open
from perdure.kernel.values import Json
from perdure.stores.records import Record, Recorded, apply_detail
from perdure.stores.runs import Loaded, Whole

LOAD_MAX: Final = 200  # runs brought back by one set of queries
_COLUMNS: Final = ("pk", *BIRTH, *ALWAYS, *SOMETIMES)
_ROWS: Final = Sql(select(*(runs.c[name] for name in _COLUMNS)).where(among(runs.c.id, "ids")))
_EFFECTS: Final = Sql(
    select(outbox.c.run, outbox.c.key, outbox.c.body, outbox.c.disposition).where(
        among(outbox.c.run, "pks"), UNDER_WAY
    )
)
_WAITS: Final = Sql(
    select(waits.c.run, waits.c.key, waits.c.body).where(
        among(waits.c.run, "pks"), waits.c.closed_seq.is_(None)
    )
)
_SNAPSHOTS: Final = Sql(
    select(cells.c.run, cells.c.body)
    .join(runs, (runs.c.pk == cells.c.run) & (runs.c.snapshot_seq == cells.c.seq))
    .where(among(runs.c.pk, "pks"))
)
_TAILS: Final = Sql(
    select(ledger.c.run, ledger.c.detail)
    .join(runs, (runs.c.pk == ledger.c.run) & (ledger.c.seq > runs.c.snapshot_seq))
    .where(among(runs.c.pk, "pks"))
    .order_by(ledger.c.run, ledger.c.seq)
)
_CELLS_AT: Final = Sql(
    select(cells.c.body).where(cells.c.run == bindparam("_run"), cells.c.seq == bindparam("_seq"))
)
_DETAILS: Final = Sql(
    select(ledger.c.detail)
    .where(
        ledger.c.run == bindparam("_run"),
        ledger.c.seq > bindparam("_after"),
        ledger.c.seq <= bindparam("_seq"),
    )
    .order_by(ledger.c.seq)
)
_PLACES: Final = Sql(
    select(artifacts.c.id, artifacts.c.sha256, artifacts.c.size_bytes).where(
        among(artifacts.c.id, "ids")
    )
)


class Gathering:
    """The cells of one run while they are put together; `places` are the cells that lie on the disk."""

    def __init__(self) -> None:
        """Begin with none."""
        self.cells: dict[str, Json] = {}
        self.places: set[str] = set()

    def begin(self, snapshot: bytes) -> None:
        """Take the cells of a snapshot."""
        kept = loads(snapshot)
        self.cells = kept["cells"]
        self.places = set(kept.get("offloaded", ()))

    def apply(self, detail: bytes) -> None:
        """Go one record further."""
        beside = loads(detail)
        apply_detail(self.cells, beside)
        self.places.difference_update(beside.get("writes", ()), beside.get("gone", ()))
        self.places.update(beside.get("offloaded", ()))

    def ids(self) -> list[str]:
        """The artifacts that are needed."""
        return [self.cells[name][PLACE] for name in self.places]

    def put_back(self, content: Content, known: Mapping[str, tuple[str, int]], room: int) -> int:
        """Put the values back, as far as there is room; how many bytes they all are."""
        size = 0
        for name in sorted(self.places):
            digest, size_bytes = known[self.cells[name][PLACE]]
            size += size_bytes
            if size <= room:
                self.cells[name] = loads(content.get(digest))
        return size


class Loading:
    """Reads runs of one plane."""

    def __init__(self, content: Content) -> None:
        """Take what was off-loaded from `content`."""
        self._content = content

    def load(self, session: Session, run_ids: Sequence[RunId]) -> dict[RunId, Loaded]:
        """Runs with their cells and open keys, those that exist."""
        loaded: dict[RunId, Loaded] = {}
        for at in range(0, len(run_ids), LOAD_MAX):
            loaded.update(self._load(session, run_ids[at : at + LOAD_MAX]))
        return loaded

    def _load(self, session: Session, run_ids: Sequence[RunId]) -> dict[RunId, Loaded]:
        rows = [
            dict(zip(_COLUMNS, row, strict=True)) for row in session.all(_ROWS, ids=list(run_ids))
        ]
        pks = [row["pk"] for row in rows]
        open_ = _open(session, pks)
        gathered = _gathered(session, pks)
        pending = {row["pk"]: _unrecorded(row) for row in rows}
        known = self._places(session, [*gathered.values(), *pending.values()], rows)
        loaded = {}
        for row in rows:
            one = self._one(
                row, open_.get(row["pk"], {}), gathered[row["pk"]], pending[row["pk"]], known
            )
            loaded[one.run.id] = one
        return loaded

    def _one(
        self, row: Mapping[str, Any], open_: Mapping[Key, Open], cells: Gathering, pending: Gathering,
        known: Mapping[str, tuple[str, int]],
    ) -> Loaded:  # fmt: skip
        limit = _bound(row)
        outside = cells.put_back(self._content, known, limit)
        outside += pending.put_back(self._content, known, limit - outside)
        beside = loads(row["unrecorded"]) if row["unrecorded"] else {}
        gone = beside.get("gone", ())
        unrecorded = {**pending.cells, **dict.fromkeys(gone, GONE)}
        cells.cells.update(pending.cells)
        for name in gone:
            cells.cells.pop(name, None)
        silent = tuple(beside.get("events", ()))
        run = run_of(row, open_, unrecorded, self.output(row, known), silent)
        if outside > limit:  # what was left on the disk shows as too large, and ends the run
            run = replace(run, state_bytes=max(run.state_bytes, outside))
        return Loaded(run, cells.cells, row["bytes_since"], row["snapshot_bytes"])

    def output(self, row: Mapping[str, Any], known: Mapping[str, tuple[str, int]]) -> Json:
        """The run's output, from its row or from the disk."""
        if row["output_artifact"] is not None:
            return loads(self._content.get(known[row["output_artifact"]][0]))
        return None if row["output"] is None else loads(row["output"])

    def _places(
        self, session: Session, gathered: Iterable[Gathering], rows: Sequence[Mapping[str, Any]]
    ) -> dict[str, tuple[str, int]]:
        ids = [place for one in gathered for place in one.ids()]
        ids += [row["output_artifact"] for row in rows if row["output_artifact"] is not None]
        return self.places(session, ids)

    def places(self, session: Session, ids: list[str]) -> dict[str, tuple[str, int]]:
        """Where artifacts lie, and how large they are."""
        if not ids:
            return {}
        return {row[0]: (row[1], row[2]) for row in session.all(_PLACES, ids=ids)}

    def state(self, session: Session, row: Mapping[str, Any], seq: int) -> dict[str, Json]:
        """The cells after record `seq`: from the inputs, or from the last snapshot where that is nearer."""
        begin = row["snapshot_seq"] if row["snapshot_seq"] <= seq else 0
        snapshot = session.first(_CELLS_AT, _run=row["pk"], _seq=begin)
        assert snapshot is not None, "a run has its inputs, and the snapshot that its row names"
        gathering = Gathering()
        gathering.begin(snapshot[0])
        for (detail,) in session.all(_DETAILS, _run=row["pk"], _after=begin, _seq=seq):
            gathering.apply(detail)
        known = self.places(session, gathering.ids())
        gathering.put_back(self._content, known, _bound(row))
        return gathering.cells

    def whole(self, session: Session, records: Sequence[Record]) -> list[Whole]:
        """Records with every value in place."""
        read = [(record, loads(record.body), loads(record.detail)) for record in records]
        ids = [place for _, _, detail in read for place in detail.get("placed", ())]
        ids += [
            detail["writes"][name][PLACE]
            for _, _, detail in read
            for name in detail.get("offloaded", ())
        ]
        known = self.places(session, ids)
        return [self._whole(*one, known) for one in read]

    def _whole(
        self, record: Record, body: dict[str, Json], detail: dict[str, Json],
        known: Mapping[str, tuple[str, int]],
    ) -> Whole:  # fmt: skip
        placed, offloaded = detail.pop("placed", ()), detail.pop("offloaded", ())
        values = {place: loads(self._content.get(known[place][0])) for place in placed}
        if values:
            body["effect"] = _put_back(body["effect"], values)
            body["result"] = _put_back(body["result"], values)
        for name in offloaded:
            place = detail["writes"][name][PLACE]
            detail["writes"][name] = loads(self._content.get(known[place][0]))
        light = bool(placed or offloaded)
        return Whole(record, Recorded(record.seq, body, detail), light)


def _put_back(value: Json, values: Mapping[str, Json]) -> Json:
    """The value with each placeholder of ours replaced by what it stands for."""
    if isinstance(value, dict):
        place = value.get(PLACE) if len(value) == 1 else None
        if isinstance(place, str) and place in values:
            return _put_back(values[place], values)
        return {name: _put_back(part, values) for name, part in value.items()}
    return [_put_back(part, values) for part in value] if isinstance(value, list) else value


def _bound(row: Mapping[str, Any]) -> int:
    return limits_of(row["limits"]).state_bytes_max


def _unrecorded(row: Mapping[str, Any]) -> Gathering:
    """The writes of a run that no record carries yet."""
    gathering = Gathering()
    if row["unrecorded"] is not None:
        gathering.apply(row["unrecorded"])
    return gathering


def _gathered(session: Session, pks: list[int]) -> dict[int, Gathering]:
    """The recorded cells of runs: the last snapshot, and the records since."""
    gathered = {pk: Gathering() for pk in pks}
    for pk, snapshot in session.all(_SNAPSHOTS, pks=pks):
        gathered[pk].begin(snapshot)
    for pk, detail in session.all(_TAILS, pks=pks):
        gathered[pk].apply(detail)
    return gathered


def _open(session: Session, pks: list[int]) -> dict[int, dict[Key, Open]]:
    """What runs have open, in the order in which it was asked for."""
    entries: dict[int, list[Open]] = {}
    for pk, key, body, disposition in session.all(_EFFECTS, pks=pks):
        review = disposition == "review"
        entries.setdefault(pk, []).append(open_effect(key, body, review=review))
    for pk, key, body in session.all(_WAITS, pks=pks):
        entries.setdefault(pk, []).append(open_wait(key, body))
    return {
        pk: {entry.key: entry for entry in sorted(them, key=lambda entry: entry.seq)}
        for pk, them in entries.items()
    }
