"""Records as bytes: encoded once, chained, and read back as what they were made of."""

import orjson
import pytest
from msgspec.structs import replace

from perdure.ids import RunId, StepId
from perdure.kernel.model import GONE, Step
from perdure.stores.records import (
    GENESIS,
    Record,
    apply_detail,
    body_of,
    detail_of,
    encoded,
    hash_of,
    wire_of,
)
from tests.support.builders import AT, a_birth

STEP = Step(
    3, StepId("s"), "node", "completed", AT, AT, effect={"type": "echo"}, result=[1], attempt=2
)
RUN = RunId("r")


def test_a_body_has_the_fields_of_the_wire_but_for_the_hashes() -> None:
    birth = a_birth(actor_id="alice")
    body = body_of(birth, replace(STEP, idempotency_key="k"))
    assert list(body) == [
        "run_id", "step_id", "node_id", "status", "effect", "result", "error", "started_at", "ended_at",
        "actor_id", "session_id", "attempt", "idempotency_key",
    ]  # fmt: skip
    assert (body["run_id"], body["actor_id"], body["attempt"]) == (birth.id, "alice", 2)


def test_a_detail_tells_only_what_there_is() -> None:
    assert detail_of(STEP) == {}
    full = replace(STEP,
        writes={"a": 1, "b": GONE}, path=("n",), path_more=2, effect_class="once", attempts=({},), by="bob"
    )  # fmt: skip
    assert detail_of(full) == {
        "writes": {"a": 1}, "gone": ["b"], "path": ("n",), "path_more": 2, "class": "once",
        "attempts": ({},), "by": "bob",
    }  # fmt: skip


def test_a_detail_brings_the_cells_one_record_further() -> None:
    cells = {"a": 0, "b": 0, "c": 0}
    apply_detail(cells, detail_of(replace(STEP, writes={"a": 1, "b": GONE, "d": None, "e": GONE})))
    assert cells == {"a": 1, "c": 0, "d": None}


@pytest.mark.parametrize(
    "changed",
    [(b"\x01" * 32, RUN, 1, b"{}", b"{}"), (GENESIS, RunId("q"), 1, b"{}", b"{}"), (GENESIS, RUN, 2, b"{}", b"{}"),
     (GENESIS, RUN, 1, b"{ }", b"{}"), (GENESIS, RUN, 1, b"{}", b"{ }"), (GENESIS, RUN, 1, b"{}{", b"}")],
    ids=["previous", "run", "seq", "body", "detail", "border"],
)  # fmt: skip
def test_a_hash_depends_on_each_of_its_parts(
    changed: tuple[bytes, RunId, int, bytes, bytes],
) -> None:
    assert hash_of(*changed) != hash_of(GENESIS, RUN, 1, b"{}", b"{}")


def test_the_hash_of_a_record_stays_what_it_is() -> None:
    digest = hash_of(GENESIS, RUN, 1, b'{"a":1}', b"{}")
    assert digest.hex() == "1b8e4d65248ba572afeec6abbec4ff2730c4b68989db5251f8eb93a1016050df"


def test_the_wire_is_the_body_with_its_hashes_and_if_asked_the_detail() -> None:
    record = Record(1, encoded({"a": 1}), encoded({"path": ["n"]}), GENESIS, b"\xab" * 32)
    hashes = {"prev_hash": "00" * 32, "record_hash": "ab" * 32, "signature": None}
    assert orjson.loads(wire_of(record)) == {"a": 1, **hashes}
    assert orjson.loads(wire_of(record, full=True)) == {"a": 1, **hashes, "detail": {"path": ["n"]}}
    assert wire_of(record).startswith(b'{"a":1,')
