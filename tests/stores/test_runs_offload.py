"""What is promised of large values and of snapshots: they are out of the way, and nothing is lost by it."""

import asyncio
from collections.abc import Callable, Mapping

import orjson
import pytest

from perdure.kernel.limits import INLINE_BYTES_MAX, Limits
from perdure.kernel.model import Event, Hold, Ok, Told
from perdure.kernel.program import Done, Moment, Move, View
from perdure.kernel.values import Json
from perdure.stores.runs import Commit, RunQuery
from tests.support.branches import Ask, Branches, Do
from tests.support.builders import an_effect
from tests.support.driving import Driven, a_driven_run
from tests.support.planes import Store

pytestmark = pytest.mark.anyio

LARGE = "x" * (INLINE_BYTES_MAX + 1)
SMALL = "x" * (INLINE_BYTES_MAX // 2)


class Writes:
    """Writes what each outcome says, then asks for the next effect; ends when told to."""

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Take the outcome as a map of cells."""
        outcome = getattr(event, "outcome", Ok({}))
        written: Mapping[str, Json] = outcome.result
        if "end" in written:
            return Move(end=Done(written["end"]))
        return Move(writes=written, effects=(an_effect(),))


async def a_writer(store: Store, name: str = "run", **changes: Json) -> Driven:
    """A run of `Writes` that has begun."""
    return await a_driven_run(store.plane, Writes(), name, **changes)


async def kept(store: Store, driven: Driven) -> None:
    """Assert that the cells come back, from memory and from disk."""
    for plane in (store.plane, await store.open_again()):
        loaded = (await plane.runs.load([driven.id]))[driven.id]
        assert loaded.cells == driven.cells
        assert loaded.run.open == driven.run.open
    driven.plane = store.plane


async def test_a_large_value_lies_on_the_disk_and_comes_back(store: Store) -> None:
    driven = await a_writer(store, cells={"in/large": LARGE, "in/small": "s"})
    await driven.arrive("a", Ok({"large": {"deep": [LARGE]}, "small": SMALL}))
    rows = store.tamper("SELECT body, detail FROM ledger")
    assert max(len(column) for row in rows for column in row) <= INLINE_BYTES_MAX * 1.5
    (inputs,) = store.tamper("SELECT body FROM cells WHERE seq = 0")
    assert len(inputs[0]) < 1_000
    await kept(store, driven)
    assert await store.plane.runs.state(driven.id, driven.run.seq) == driven.cells


async def test_the_bound_is_exact(store: Store) -> None:
    fits, exceeds = "x" * (INLINE_BYTES_MAX - 2), "x" * (INLINE_BYTES_MAX - 1)  # and two quotes
    driven = await a_writer(store, cells={"in/fits": fits, "in/exceeds": exceeds})
    (inputs,) = store.tamper("SELECT body FROM cells WHERE seq = 0")
    assert orjson.loads(inputs[0])["offloaded"] == ["in/exceeds"]
    await kept(store, driven)


async def test_what_looks_like_a_placeholder_is_a_program_s_own_value(store: Store) -> None:
    look_alike = {"$artifact": "not-of-ours"}
    driven = await a_writer(store, cells={"in/a": look_alike, "in/large": LARGE})
    await driven.arrive("a", Ok({"b": look_alike, "large": LARGE + "y"}))
    await kept(store, driven)
    assert driven.cells["b"] == look_alike


async def test_a_large_value_that_is_written_over_or_gone_is_not_put_back(store: Store) -> None:
    driven = await a_writer(store)
    await driven.arrive("a", Ok({"one": LARGE, "two": LARGE}))
    await driven.arrive("a", Ok({"one": {"$artifact": "mine"}, "two": None}))
    await kept(store, driven)
    assert driven.cells["one"] == {"$artifact": "mine"}


async def test_a_record_shows_an_artifact_where_a_large_value_was(store: Store) -> None:
    driven = await a_writer(store)
    await driven.arrive("a", Ok({"text": LARGE, "small": 1}))
    (_, completed, _) = await store.plane.runs.ledger(driven.id, after=0, limit=3)
    result = orjson.loads(completed.body)["result"]
    assert result["small"] == 1
    artifact = await store.plane.artifacts.get(result["text"]["$artifact"], owners=[driven.id])
    content = b"".join([piece async for piece in store.plane.artifacts.read(artifact)])
    assert orjson.loads(content) == LARGE
    assert artifact.content_type == "application/json"


async def test_the_bytes_are_there_before_the_record_names_them(store: Store) -> None:
    driven = await a_writer(store)
    files = []
    store.probed = _Calling(
        "before_commit", lambda: files.append(len([*store.place.artifacts.rglob("*")]))
    )
    await store.open_again()
    driven.plane = store.plane
    await driven.arrive("a", Ok({"large": LARGE}))
    assert files[-1] > 0


class _Calling(list[str]):
    """Takes names of probes, and calls at one of them."""

    def __init__(self, name: str, call: Callable[[], object]) -> None:
        super().__init__()
        self.name, self.call = name, call

    def append(self, name: str) -> None:
        if name == self.name:
            self.call()


async def test_large_inputs_outputs_and_held_arrivals_come_back(store: Store) -> None:
    driven = await a_writer(store)
    await driven.arrive("a", Ok({"end": {"text": LARGE}}))
    held = await a_driven_run(store.plane, Branches((Do(),), (Ask(),)), "held")
    await held.deliver(Hold())
    await held.deliver(Told(LARGE))
    plane = await store.open_again()
    loaded = await plane.runs.load([driven.id, held.id])
    assert loaded[driven.id].run.output == {"text": LARGE}
    assert loaded[held.id].run.unrecorded == held.run.unrecorded
    assert (await plane.runs.header(driven.id)).output == {"text": LARGE}
    page = await plane.runs.list(RunQuery(status=driven.run.status))
    assert [*page.items[0].output] == ["$artifact"]


async def test_a_run_beyond_its_bound_is_loaded_no_further_and_says_so(store: Store) -> None:
    bound = 2 * INLINE_BYTES_MAX
    driven = await a_writer(store, limits=Limits(state_bytes_max=bound))
    await driven.arrive("a", Ok({f"cell {n}": LARGE + str(n) for n in range(5)}))
    loaded = (await store.plane.runs.load([driven.id]))[driven.id]
    assert loaded.run.state_bytes > bound
    assert sum(len(it) for it in loaded.cells.values() if isinstance(it, str)) <= bound
    driven.run = loaded.run
    await driven.arrive("a")
    assert driven.run.error is not None
    assert driven.run.error.startswith("limit_reached: state_bytes_max")


async def test_a_snapshot_takes_the_place_of_the_one_before(store: Store) -> None:
    driven = await a_writer(store, cells={"in/a": 1})
    for turn in range(4):
        snapshot = dict(driven.cells)
        receipt = await driven.arrive(
            "a", Ok({"large": LARGE + str(turn), "turn": turn}), snapshot=snapshot
        )
        assert receipt.snapshot_bytes == len(orjson.dumps({"cells": snapshot})) + _moved(snapshot)
    assert [row[0] for row in store.tamper("SELECT seq FROM cells ORDER BY seq")] == [0, 7]
    assert store.probed.count("snapshot") == 4
    await kept(store, driven)
    for seq in (0, 2, 6, 7, 9):
        state = await store.plane.runs.state(driven.id, seq)
        assert state.get("turn") == (None if seq < 3 else (seq - 3) // 2)


def _moved(cells: Mapping[str, Json]) -> int:
    """By how much the placeholders of a snapshot are shorter than what they stand for."""
    if "large" not in cells:
        return 0
    placeholder = {"$artifact": "0" * 36}
    light = {"cells": {**cells, "large": placeholder}, "offloaded": ["large"]}
    return (
        len(orjson.dumps(light))
        - len(orjson.dumps({"cells": cells}))
        + len(orjson.dumps(cells["large"]))
    )


async def test_a_reload_knows_when_the_next_snapshot_is_due(store: Store) -> None:
    driven = await a_writer(store)
    written = sum([(await driven.arrive("a", Ok({"n": n}))).bytes_written for n in range(3)])
    first = (await store.plane.runs.load([driven.id]))[driven.id]
    assert first.bytes_since > written > 0
    receipt = await driven.arrive("a", Ok({"n": 4}), snapshot=dict(driven.cells))
    assert receipt.snapshot_bytes
    loaded = (await (await store.open_again()).runs.load([driven.id]))[driven.id]
    assert (loaded.bytes_since, loaded.snapshot_bytes) == (
        receipt.bytes_written,
        receipt.snapshot_bytes,
    )
    assert loaded.run.state_bytes == receipt.snapshot_bytes


async def test_no_snapshot_is_kept_of_what_no_record_carries(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(),), (Ask(),)))
    await driven.deliver(Hold())
    await driven.deliver(Told("hm"))
    receipt = await driven.deliver(Told("hm"), snapshot=dict(driven.cells))
    assert receipt.snapshot_bytes is None
    await kept(store, driven)


async def test_the_same_large_value_is_one_artifact(store: Store) -> None:
    one, other = await a_writer(store, "one"), await a_writer(store, "other")
    await asyncio.gather(*(
        store.plane.runs.commit(Commit(it.decide_arrival("a", Ok({"a": LARGE, "b": LARGE})), holder="me", leased_until="z"))
        for it in (one, other)
    ))  # fmt: skip
    assert store.tamper(
        "SELECT count(*), count(DISTINCT sha256) FROM artifacts WHERE size_bytes = ?",
        len(LARGE) + 2,
    ) == [(2, 1)]
