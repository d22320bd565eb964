"""What is promised of the ledger: its bytes, its pages, the state at any record, and that tampering is seen."""

from collections.abc import Callable

import orjson
import pytest

from perdure.errors import Invalid
from perdure.kernel.model import EffectClass, Ok
from perdure.kernel.values import Json
from perdure.stores.records import GENESIS, Record, hash_of, wire_of
from perdure.stores.runs import Verdict
from tests.support.branches import Ask, Branches, Do
from tests.support.driving import Driven, a_driven_run
from tests.support.ledger import apply
from tests.support.planes import Store

pytestmark = pytest.mark.anyio


async def of_ten_records(store: Store, name: str = "run") -> Driven:
    """A run of five effects that has ended: ten records, the end and the status."""
    driven = await a_driven_run(store.plane, Branches((Do(),) * 5), name, cells={"in/a": 1})
    for place in range(5):
        await driven.arrive(f"0.{place}", Ok({"place": place, "text": "Grüße"}))
    return driven


async def test_records_are_read_as_they_were_committed(store: Store) -> None:
    await of_ten_records(store)
    committed = [record for one in store.committed for record in one.records]
    run_id = store.committed[0].decision.run.id
    assert list(await store.plane.runs.ledger(run_id, after=0, limit=100)) == committed
    assert [record.seq for record in committed] == list(range(1, 13))


async def test_each_record_is_chained_to_the_one_before(store: Store) -> None:
    driven = await of_ten_records(store)
    previous = GENESIS
    for record in await store.plane.runs.ledger(driven.id, after=0, limit=100):
        assert record.previous == previous
        assert record.hash == hash_of(previous, driven.id, record.seq, record.body, record.detail)
        previous = record.hash


@pytest.mark.parametrize(("after", "limit"), [(0, 3), (3, 4), (11, 5), (12, 5), (99, 5)])
async def test_a_page_begins_after_its_cursor_and_ends_at_its_limit(
    store: Store, after: int, limit: int
) -> None:
    driven = await of_ten_records(store)
    whole = await store.plane.runs.ledger(driven.id, after=0, limit=100)
    page = await store.plane.runs.ledger(driven.id, after=after, limit=limit)
    assert list(page) == list(whole)[after : after + limit]


async def test_the_wire_gets_the_stored_bytes_with_the_hashes_beside(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(EffectClass.ONCE),)), actor_id="alice")
    (record,) = await store.plane.runs.ledger(driven.id, after=0, limit=1)
    served = orjson.loads(wire_of(record))
    assert (served["run_id"], served["actor_id"], served["status"]) == (
        driven.id,
        "alice",
        "started",
    )
    assert served["prev_hash"] == "00" * 32
    assert served["record_hash"] == record.hash.hex()
    assert "detail" not in served
    full = orjson.loads(wire_of(record, full=True))
    assert full["detail"]["class"] == "once"
    assert full["detail"]["writes"] == {"ctl/0": 0}


async def test_the_state_is_told_after_every_record(store: Store) -> None:
    driven = await of_ten_records(store)
    cells: dict[str, Json] = {"in/a": 1}
    states = [dict(cells)]
    for step in (step for one in store.committed for step in one.decision.steps):
        apply(cells, step.writes or {})
        states.append(dict(cells))
    for seq, state in enumerate(states):
        assert await store.plane.runs.state(driven.id, seq) == state
    assert states[-1] == driven.cells


@pytest.mark.parametrize("seq", [-1, 13])
async def test_there_is_no_state_beyond_the_ends(store: Store, seq: int) -> None:
    driven = await of_ten_records(store)
    with pytest.raises(Invalid):
        await store.plane.runs.state(driven.id, seq)


async def test_a_ledger_as_it_was_written_is_found_whole(store: Store) -> None:
    driven = await of_ten_records(store)
    verdict = await store.plane.runs.verify(driven.id)
    assert verdict == Verdict(True, 12, None, None)
    unborn = await a_driven_run(store.plane, Branches((Ask(),)), "other")
    assert (await store.plane.runs.verify(unborn.id)).records == 1


MINE = "run = (SELECT pk FROM runs WHERE id = ?)"


def flip_body(store: Store, driven: Driven) -> int:
    store.tamper(
        f"UPDATE ledger SET body = ? WHERE {MINE} AND seq = 5", b'{"flipped":1}', driven.id
    )
    return 5


def flip_detail(store: Store, driven: Driven) -> int:
    store.tamper(f"UPDATE ledger SET detail = ? WHERE {MINE} AND seq = 4", b"{}", driven.id)
    return 4


def flip_hash(store: Store, driven: Driven) -> int:
    store.tamper(f"UPDATE ledger SET hash = ? WHERE {MINE} AND seq = 6", bytes(32), driven.id)
    return 6


def delete(store: Store, driven: Driven) -> int:
    store.tamper(f"DELETE FROM ledger WHERE {MINE} AND seq = 7", driven.id)
    return 7


def close_the_gap(store: Store, driven: Driven) -> int:
    delete(store, driven)
    for seq in range(8, 13):
        store.tamper(f"UPDATE ledger SET seq = {seq - 1} WHERE {MINE} AND seq = {seq}", driven.id)
    return 7


def insert(store: Store, driven: Driven) -> int:
    for seq in range(12, 3, -1):
        store.tamper(f"UPDATE ledger SET seq = {seq + 1} WHERE {MINE} AND seq = {seq}", driven.id)
    store.tamper(
        "INSERT INTO ledger (run, seq, body, detail, hash)"
        f" SELECT run, 4, body, detail, hash FROM ledger WHERE {MINE} AND seq = 3", driven.id
    )  # fmt: skip
    return 4


def reorder(store: Store, driven: Driven) -> int:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        store.tamper(f"UPDATE ledger SET seq = {new} WHERE {MINE} AND seq = {old}", driven.id)
    return 2


def truncate(store: Store, driven: Driven) -> int:
    store.tamper(f"DELETE FROM ledger WHERE {MINE} AND seq > 10", driven.id)
    return 11


def empty(store: Store, driven: Driven) -> int:
    store.tamper(f"DELETE FROM ledger WHERE {MINE}", driven.id)
    return 1


def lengthen(store: Store, driven: Driven) -> int:
    rows = store.tamper(f"SELECT hash FROM ledger WHERE {MINE} AND seq = 12", driven.id)
    digest = hash_of(bytes(rows[0][0]), driven.id, 13, b"{}", b"{}")
    store.tamper(
        "INSERT INTO ledger (run, seq, body, detail, hash) SELECT pk, 13, ?, ?, ? FROM runs WHERE id = ?",
        b"{}", b"{}", digest, driven.id,
    )  # fmt: skip
    return 13


def replace_the_end(store: Store, driven: Driven) -> int:
    rows = store.tamper(f"SELECT hash FROM ledger WHERE {MINE} AND seq = 11", driven.id)
    digest = hash_of(bytes(rows[0][0]), driven.id, 12, b"{}", b"{}")
    store.tamper(
        f"UPDATE ledger SET body = ?, detail = ?, hash = ? WHERE {MINE} AND seq = 12",
        b"{}", b"{}", digest, driven.id,
    )  # fmt: skip
    return 12


@pytest.mark.parametrize(
    "harm",
    [flip_body, flip_detail, flip_hash, delete, close_the_gap, insert, reorder, truncate, empty,
     lengthen, replace_the_end],
    ids=lambda harm: harm.__name__,
)  # fmt: skip
async def test_the_first_record_that_was_tampered_with_is_named(
    store: Store, harm: Callable[[Store, Driven], int]
) -> None:
    driven, other = await of_ten_records(store), await of_ten_records(store, "other")
    bad_seq = harm(store, driven)
    verdict = await store.plane.runs.verify(driven.id)
    assert (verdict.ok, verdict.bad_seq) == (False, bad_seq)
    assert verdict.why
    assert (await store.plane.runs.verify(other.id)).ok


async def test_a_record_tells_its_parts_apart() -> None:
    one = hash_of(GENESIS, "r", 1, b"ab", b"c")  # type: ignore[arg-type]  # any text does
    other = hash_of(GENESIS, "r", 1, b"a", b"bc")  # type: ignore[arg-type]  # any text does
    assert one != other
    assert Record(1, b"{}", b"{}", GENESIS, one).seq == 1
