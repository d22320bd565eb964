"""Killed at any moment, a gateway forgets nothing of what it acknowledged to have done, and tells it once."""

import asyncio
from collections import Counter
from contextlib import suppress
from itertools import count
from typing import Any

import httpx2
import pytest

from perdure.adapters.notary import PublicKeys
from perdure.identity.audit import verify
from tests.journeys.gateway import GUARD_S
from tests.journeys.journey import Journey
from tests.journeys.wire import API

PROBES = ("before_carry:2", "after_carry:2", "inside_batch:12", "after_commit:12")
DEED = f"{API}/bundles/reload"  # leaves an entry in the plane, and changes nothing
PAGE = 1_000


async def acknowledged(journey: Journey, dying: "asyncio.Future[None]") -> list[str]:
    """Do one thing after the other until the gateway dies; the names of those that were answered."""
    done: list[str] = []
    for number in count():
        if dying.done():
            return done
        name = f"deed-{number}"
        with suppress(httpx2.TransportError):
            answer = await journey.wire.once("POST", DEED, headers={"x-request-id": name})
            if answer.status_code == 200:
                done.append(name)
        await asyncio.sleep(0.01)
    raise AssertionError


async def on_record(journey: Journey) -> "Counter[str]":
    """How often each deed is in the chain."""
    query = {"action": "bundle:write", "limit": PAGE}
    items: list[Any] = (await journey.wire.get("/audit", **query))["items"]
    return Counter(item["request_id"] for item in items)


@pytest.mark.anyio
@pytest.mark.parametrize("probe", PROBES)
async def test_what_was_done_is_on_record_once(probe: str, journey: Journey) -> None:
    dying = asyncio.ensure_future(journey.die_at(probe))
    done = await acknowledged(journey, dying)
    await dying
    await journey.gateway.start()
    last = await journey.wire.ask("POST", DEED, headers={"x-request-id": "last"})
    assert last.status_code == 200
    async with asyncio.timeout(GUARD_S):
        while not (told := await on_record(journey))["last"]:
            await asyncio.sleep(0.05)
    assert done
    assert [name for name in done if told[name] != 1] == []
    assert max(told.values()) == 1, "nothing is told twice"
    await check_chain(journey)


async def check_chain(journey: Journey) -> None:
    """Check the whole chain from an export and the public key."""
    export = await journey.wire.ask("GET", f"{API}/audit/export")
    key = (await journey.wire.get("/audit/checkpoints"))["public_key"]
    verdict = verify(export.content.splitlines(), PublicKeys([key.encode()]).signed)
    assert verdict.ok, verdict
