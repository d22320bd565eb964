"""What goes on while a gateway is killed: runs are started, answered, cancelled, paused and read, all over HTTP."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Any, Final

import httpx2

from tests.journeys.wire import Wire, record_in, records_in
from tests.journeys.witness import Sent, Witness
from tests.support.counter import Counter

LOOK_S: Final = 0.05  # between two looks at the same thing
QUIET_S: Final = 0.3  # after which a reader turns to another ledger
RECENT: Final = 40  # runs that readers choose among
GROWING: Final = ["grow:30000", "read"] * 6
PARTS: Final[Sequence[Sequence[Any]]] = (
    ("idempotent", "once", "read"),
    ("once?delay=0.05", "idempotent*3", "once"),
    ("wait", "once", "idempotent"),
    ({"child": ["once", "idempotent?delay=0.02", "once"]}, "idempotent"),
    ("timer:0.05", "once"),
    ({"parallel": ["once", "idempotent", "read", "once?delay=0.03"]}, "once"),
    ({"child": [{"child": ["wait", "once"]}, "once"]},),
    (*GROWING, "once"),
    ("idempotent*8", "once*4", "read*4"),
)
SHORT: Final = ("idempotent", "read")
DOUBTFUL: Final = ("once?hang=1",)  # happens, and nobody is told


def a_plan(chance: Random) -> list[Any]:
    """A plan of a few parts."""
    parts = chance.choices(PARTS, k=chance.randint(1, 3))
    if chance.random() < 0.05:
        parts.append(DOUBTFUL)
    return [word for part in parts for word in part]


class Load:
    """Somebody who uses the gateway and notes what was acknowledged. Its loops go on until it is over."""

    def __init__(self, wire: Wire, witness: Witness, counter: Counter, seed: int) -> None:
        self._wire, self._witness, self._counter = wire, witness, counter
        self._chance = Random(seed)
        self._room = asyncio.Semaphore(0)
        self._recent: deque[str] = deque(maxlen=RECENT)
        # The payload of each command, so that a repeat is the same.
        self._decided: dict[str, Any] = {}
        self.over = False
        self.settling = 0.2  # how likely a review is settled when it is seen

    # --- runs --------------------------------------------------------------------------------

    def allow(self, runs: int) -> None:
        """Let so many more runs be started."""
        for _ in range(runs):
            self._room.release()

    async def start(self, keys: Sequence[str]) -> None:
        """Start a run for each key, one after the other, when there is leave to; cancel or pause a few."""
        for key in keys:
            await self._room.acquire()
            plan = self._witness.plans.setdefault(key, a_plan(self._chance))
            run_id = await self._started(key, plan)
            fate = self._chance.random()
            if fate < 0.08:
                await asyncio.sleep(self._chance.random() * 0.2)
                await self._send(f"cancel:{run_id}", run_id, "cancel", {"reason": "by chance"})
            elif fate < 0.16:
                await self._pause(run_id)

    async def finish(self, key: str) -> None:
        """Start a short run, and see it end."""
        plan = self._witness.plans.setdefault(key, SHORT)
        run_id = await self._started(key, plan)
        while (await self._wire.summary(run_id))["status"] != "completed":
            await asyncio.sleep(LOOK_S)

    async def _started(self, key: str, plan: Sequence[Any]) -> str:
        run_id = self._witness.runs[key] = await self._wire.start(key, plan)
        self._recent.append(run_id)
        return run_id

    async def _pause(self, run_id: str) -> None:
        """Hold a run for a while."""
        command_id = f"pause:{run_id}"
        if await self._send(command_id, run_id, "pause", {}):
            while (await self._wire.get(f"/commands/{command_id}"))["state"] == "pending":
                await asyncio.sleep(LOOK_S)
            await asyncio.sleep(self._chance.random() * 0.2)
            await self._send(f"unpause:{run_id}", run_id, "resume", {})

    async def _send(self, command_id: str, run_id: str, kind: str, payload: Any) -> bool:
        """Send a command until it is acknowledged, or refused because it came too late."""
        payload = self._decided.setdefault(command_id, payload)
        answer = await self._wire.command(command_id, run_id, kind, payload)
        if answer.status_code == 200:
            self._witness.commands[command_id] = Sent(run_id, kind, payload)
            return True
        assert answer.status_code == 409, f"{command_id}: {answer.status_code} {answer.text}"
        return False

    # --- answers -----------------------------------------------------------------------------

    async def answer(self) -> None:
        """Answer whatever a person is asked, for as long as it takes."""
        while not self.over:
            for run in await self._wire.runs(status="waiting"):
                if run["waiting"] is not None and run["waiting"]["reason"] == "user":
                    await self._answer(run["run_id"], run["waiting"])
            await asyncio.sleep(LOOK_S)

    async def _answer(self, run_id: str, waiting: Any) -> None:
        key, details = waiting["wait_key"], waiting["details"]
        if not key.startswith("review:"):
            answer = {"wait_key": key, "payload": {"response": "go on"}}
            await self._send(f"answer:{run_id}:{key}", run_id, "resume", answer)
        elif self._chance.random() < self.settling:
            deed = details["effect"]["payload"]["deed"]
            answer = {"wait_key": key, "payload": self._resolution(deed)}
            await self._send(f"{key}:{details['dispatched_at']}", run_id, "resume", answer)

    def _resolution(self, deed: str) -> dict[str, Any]:
        """What a person would say who went and looked."""
        if self._counter.count(deed).calls:
            return {"resolution": "happened", "result": {"deed": deed}}
        return {"resolution": "did_not_happen", "then": self._chance.choice(["retry", "fail"])}

    # --- readers -----------------------------------------------------------------------------

    async def read(self) -> None:
        """Read pages of ledgers, now from the start and now from where the last one ended."""
        while not self.over:
            await asyncio.sleep(LOOK_S)
            if run_id := self._one_of_the_last():
                after = self._chance.choice([0, self._witness.known(run_id)])
                for seq, record in enumerate(
                    records_in(await self._wire.page(run_id, after)), after + 1
                ):
                    self._witness.see(run_id, seq, record)

    async def follow(self) -> None:
        """Follow ledgers as they grow, each until it ends, is cut, or nothing comes for a while."""
        while not self.over:
            await asyncio.sleep(LOOK_S)
            if run_id := self._one_of_the_last():
                with suppress(httpx2.TransportError):
                    await self._follow(run_id)

    async def _follow(self, run_id: str) -> None:
        known = self._witness.known(run_id)
        async with self._wire.stream(run_id, known, silence_s=QUIET_S) as frames:
            async for frame in frames:
                if frame.event == "step":
                    self._witness.see(run_id, frame.id, record_in(frame))

    def _one_of_the_last(self) -> str | None:
        return self._chance.choice(self._recent) if self._recent else None

    # --- availability ------------------------------------------------------------------------

    async def look(self) -> None:
        """Look all the time whether the gateway answers."""
        while not self.over:
            self._witness.asked += 1
            with suppress(httpx2.TransportError):
                answer = await self._wire.once("GET", "/healthz")
                self._witness.answered += answer.status_code == 200
            await asyncio.sleep(LOOK_S)
