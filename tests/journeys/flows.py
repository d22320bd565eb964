"""Bundles sent to a gateway, runs of their flows, and what came of them, all as a client has it."""

import asyncio
import json
from typing import Any, Final

from tests.house.tree import ROOT
from tests.journeys.account import TERMINAL, told
from tests.journeys.gateway import GUARD_S
from tests.journeys.wire import API, Wire

FLOWS: Final = ROOT / "tests/data/flows"
LOOK_S: Final = 0.02  # between two looks at a run


async def upload(wire: Wire, name: str) -> Any:
    """Install a bundle of others; what the gateway says of it."""
    content = (FLOWS / f"{name}.flow").read_bytes()
    files = {"file": (f"{name}.flow", content, "application/octet-stream")}
    answer = await wire.ask("POST", f"{API}/bundles/upload", files=files)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def start(wire: Wire, ref: str, key: str = "", **inputs: Any) -> str:
    """Start a run of a bundle, named with its version, once for each `key`; the id."""
    body = {"bundle_id": ref, "input_data": inputs}
    headers = {"idempotency-key": key} if key else {}
    answer = await wire.ask("POST", f"{API}/runs/start", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["run_id"])


async def answer(wire: Wire, command_id: str, run: Any, text: str) -> None:
    """Answer what a run, as its summary tells, asks a person."""
    payload = {"wait_key": run["waiting"]["wait_key"], "payload": {"response": text}}
    taken = await wire.command(command_id, run["run_id"], "resume", payload)
    assert taken.status_code == 200, taken.text


async def until_asked(wire: Wire, run_id: str, *, after: int = 0) -> Any:
    """Wait until a run asks a person, with more than `after` records; its summary."""
    while True:
        run = await _look(wire, run_id)
        assert run["status"] not in TERMINAL, run
        if run["waiting"] and run["waiting"]["reason"] == "user" and run["ledger_len"] > after:
            return run


async def until_ended(wire: Wire, run_id: str) -> Any:
    """Wait until a run has ended; its summary."""
    while (run := await _look(wire, run_id))["status"] not in TERMINAL:
        pass
    return run


async def _look(wire: Wire, run_id: str) -> Any:
    async with asyncio.timeout(GUARD_S):
        await asyncio.sleep(LOOK_S)
        return await wire.summary(run_id)


async def records(wire: Wire, run_id: str) -> list[Any]:
    """The ledger of a run, whose chain holds by both accounts: that of the bytes, and the gateway's."""
    ledger = await wire.ledger(run_id)
    verdict = await wire.get(f"/runs/{run_id}/verify")
    assert verdict["ok"], verdict
    assert verdict["records"] == len(ledger)
    return told(ledger)


async def output(wire: Wire, run_id: str) -> Any:
    """What a completed run came to, as its ledger tells it."""
    run = await until_ended(wire, run_id)
    assert run["status"] == "completed", json.dumps(run)
    (end,) = [it for it in await records(wire, run_id) if (it["result"] or {}).get("completed")]
    assert end["effect"] is None
    return end["result"]["output"]


async def statuses(wire: Wire, run_id: str) -> list[Any]:
    """What the tree of a run says of its state on its own, without what is said of every run at its end."""
    said = []
    for one in [it for it in await wire.runs() if it["root_run_id"] == run_id]:
        for record in await records(wire, one["run_id"]):
            if _is_said_by_the_flow(record):
                assert record["effect"]["payload"]["name"] == "abstract.status"
                said.append((record["ended_at"], record["effect"]["payload"]["payload"]["value"]))
    return [value for _, value in sorted(said)]


def _is_said_by_the_flow(record: Any) -> bool:
    effect, key = record["effect"], record["idempotency_key"] or ""
    sent = bool(effect) and effect["type"] == "emit_event" and record["status"] == "completed"
    return sent and not key.startswith("system:")
