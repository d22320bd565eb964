"""A ledger that was touched past the gateway is found out, and the first bad record is named."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection, text

from tests.house.tree import ROOT
from tests.journeys.child import TOKEN
from tests.journeys.gateway import Gateway
from tests.journeys.journey import Journey
from tests.journeys.promises import until_quiet

PLAN = ("idempotent", "echo", "echo", "echo")  # 10 records
RECORDS = 10


class Touch(NamedTuple):
    """What somebody does to the rows of one run, and the first record that is then not what it was."""

    statements: tuple[str, ...]
    bad_seq: int


FLIPPED = "UPDATE ledger SET {0} = :bytes WHERE run = :run AND seq = {1}"
MOVED = "UPDATE ledger SET seq = {1} WHERE run = :run AND seq = {0}"
COPIED = "INSERT INTO ledger (run, seq, body, detail, hash) SELECT run, {1}, body, detail, hash FROM ledger WHERE run = :run AND seq = {0}"
DROPPED = "DELETE FROM ledger WHERE run = :run AND seq >= {0} AND seq <= {1}"
TOUCHES: Mapping[str, Touch] = {
    "flip the first": Touch((FLIPPED.format("body", 1),), 1),
    "flip one in the middle": Touch((FLIPPED.format("body", 4),), 4),
    "flip the last": Touch((FLIPPED.format("body", RECORDS),), RECORDS),
    "flip what stands beside": Touch((FLIPPED.format("detail", 3),), 3),
    "flip a hash": Touch((FLIPPED.format("hash", 5),), 5),
    "delete one": Touch((DROPPED.format(5, 5),), 5),
    "delete one and close the gap": Touch(
        (DROPPED.format(5, 5), *(MOVED.format(seq, seq - 1) for seq in range(6, RECORDS + 1))), 5
    ),
    "insert one": Touch(
        (*(MOVED.format(seq, seq + 1) for seq in range(RECORDS, 4, -1)), COPIED.format(4, 5)), 5
    ),
    "add one at the end": Touch((COPIED.format(RECORDS, RECORDS + 1),), RECORDS + 1),
    "reorder two": Touch((MOVED.format(6, 99), MOVED.format(7, 6), MOVED.format(99, 7)), 6),
    "cut the last off": Touch((DROPPED.format(RECORDS, RECORDS),), RECORDS),
    "cut half of it off": Touch((DROPPED.format(6, RECORDS),), 6),
    "cut all of it off": Touch((DROPPED.format(1, RECORDS),), 1),
}


def touch(connection: Connection, run_id: str, statements: tuple[str, ...]) -> None:
    """Change the rows of one run."""
    pk = connection.execute(text("SELECT pk FROM runs WHERE id = :id"), {"id": run_id}).scalar_one()
    for statement in statements:
        column = statement.split()[3]
        given: dict[str, Any] = {"run": pk}
        if ":bytes" in statement:
            given["bytes"] = flipped(connection, pk, column, int(statement.split()[-1]))
        assert connection.execute(text(statement), given).rowcount > 0, statement


def flipped(connection: Connection, pk: int, column: str, seq: int) -> bytes:
    """The bytes of one column of one record, with the lowest bit of one of them turned."""
    found = text(f"SELECT {column} FROM ledger WHERE run = :run AND seq = :seq")
    stored = bytes(connection.execute(found, {"run": pk, "seq": seq}).scalar_one())
    middle = len(stored) // 2
    return stored[:middle] + bytes([stored[middle] ^ 1]) + stored[middle + 1 :]


async def checked(gateway: Gateway, run_id: str) -> tuple[int, str]:
    """What `perdure verify` says of a run, and its exit code."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "perdure.app.cli", "--url", gateway.url, "--token", TOKEN, "verify", run_id,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


@pytest.mark.anyio
async def test_what_was_touched_is_found(journey: Journey) -> None:
    gateway, wire = journey.gateway, journey.wire
    await gateway.start()
    runs = {name: await wire.start(f"t{at}", PLAN) for at, name in enumerate(TOUCHES)}
    spared = await wire.start("spared", PLAN)
    await until_quiet(wire)
    await gateway.kill()
    with journey.disk.open("rw") as connection:
        for name, run_id in runs.items():
            touch(connection, run_id, TOUCHES[name].statements)
    await gateway.start()
    for name, run_id in runs.items():
        verdict = await wire.get(f"/runs/{run_id}/verify")
        assert (verdict["ok"], verdict["bad_seq"]) == (False, TOUCHES[name].bad_seq), (
            name,
            verdict,
        )
    assert (await wire.get(f"/runs/{spared}/verify"))["ok"]
    code, said = await checked(gateway, runs["reorder two"])
    assert code != 0
    assert "6" in said
    assert (await checked(gateway, spared))[0] == 0


def test_every_run_that_is_touched_has_ten_records() -> None:
    assert json.dumps(PLAN).count('"') == 2 * len(PLAN)
    assert 2 * len(PLAN) + 2 == RECORDS
