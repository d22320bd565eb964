"""The runner of one process: it serves every open plane, and stops when it is asked to."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup

from perdure.kernel.model import Decision, Effect, Hold, Release
from perdure.runner.carry import carry, until_kept
from perdure.runner.claim import claim, effects, is_owed
from perdure.runner.config import RunnerConfig
from perdure.runner.drive import drive
from perdure.runner.hot import Delivery, HotRun
from perdure.runner.lane import Lane
from perdure.runner.perform import arrive, perform
from perdure.runner.supervise import RESTART_S, keep_going
from perdure.runner.sweep import sweep
from perdure.runner.timers import deliver_due, until_due
from perdure.runner.turns import Turns
from perdure.runtimes.containing import containing
from perdure.runtimes.context import RuntimeContext
from perdure.stores.audit import AuditStore
from perdure.stores.outbox import Pending

_IN_TURN: Final = (Hold, Release)


class Runner:
    """Moves the runs of all open planes. `serve` lasts as long as the runner."""

    moves: Final = True

    def __init__(self, config: RunnerConfig, audit: AuditStore | None = None) -> None:
        """Work as `config` says; what planes keep for the audit is handed over to `audit`."""
        self.config = config
        self._audit = audit
        self.lanes: list[Lane] = []
        self._stop = anyio.Event()
        self._group: TaskGroup | None = None

    def open(self, runtime: RuntimeContext) -> Lane:
        """Take a plane on. Its runs are looked for at once."""
        lane = Lane(runtime, self.config)
        runtime.hub.tell_also(lane.heard)
        runtime.hub.on_hint(lambda _run_id: lane.look_again())
        runtime.hub.on_mail(lambda _run_ids: lane.look_again())
        if self._audit is not None:
            runtime.hub.on_hint(lambda _run_id: lane.has_kept())
            runtime.plane.audit.listen(lane.has_kept)
        self.lanes.append(lane)
        if self._group is not None:
            self._group.start_soon(self._tend, lane)
        return lane

    def idle(self, runtime: RuntimeContext) -> bool:
        """Whether nothing of a plane is in hand or known to wait for this runner."""
        return all(lane.idle() for lane in self._lanes_of(runtime))

    async def close(self, runtime: RuntimeContext) -> None:
        """Leave a plane, giving what is under way `stop_s` to end; no task and no timer is left of it."""
        for lane in self._lanes_of(runtime):
            lane.stopping = True
            self.lanes.remove(lane)
            lane.closing.set()
            if self._group is not None:
                await lane.closed.wait()

    def _lanes_of(self, runtime: RuntimeContext) -> list[Lane]:
        return [lane for lane in self.lanes if lane.runtime is runtime]

    def stop(self) -> None:
        """Begin nothing more; `serve` ends when what is under way has ended, or at the deadline."""
        for lane in self.lanes:
            lane.stopping = True
        self._stop.set()

    async def serve(self, started: Callable[[], None] = lambda: None) -> None:
        """Move runs until `stop`, then give what is under way `stop_s` to end."""
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                for lane in self.lanes:
                    group.start_soon(self._tend, lane)
                started()
                await self._stop.wait()
                with anyio.move_on_after(self.config.stop_s):
                    for lane in self.lanes:
                        await lane.until(lane.rests)
                group.cancel_scope.cancel()
        finally:
            self._group = None
            for lane in self.lanes:  # also one whose task was ended before it began
                lane.closed.set()

    async def _tend(self, lane: Lane) -> None:
        """Serve one plane until it is closed: first what an earlier process left, then what comes."""
        try:
            await self._tended(lane)
        finally:
            lane.group = None
            lane.closed.set()

    async def _tended(self, lane: Lane) -> None:
        async with anyio.create_task_group() as group:
            lane.group = group
            with containing("open", plane=lane.runtime.runtime):
                await self._look(lane)
            lane.looking -= 1
            loops: Sequence[tuple[str, Callable[[Lane], Awaitable[None]]]] = (
                ("drive", self._driving), ("look", self._looking),
                ("timers", self._timing), ("renew", self._renewing), ("carry", self._carrying),
                ("sweep", sweep),
            )  # fmt: skip
            for name, loop in loops:
                group.start_soon(keep_going, name, loop, lane)
            await lane.closing.wait()
            with anyio.move_on_after(self.config.stop_s):
                await lane.until(lane.rests)
            group.cancel_scope.cancel()

    # --- loops -------------------------------------------------------------------------------

    async def _driving(self, lane: Lane) -> None:
        turns = Turns(self.lanes)
        while True:
            while lane.ready and lane.running < turns.at_once(lane.runs_at_once):
                hot = lane.ready.popleft()
                lane.running += 1
                self._start(self._carry, lane, hot)
                await turns.took_one()
            lane.work = anyio.Event()
            await lane.work.wait()

    async def _looking(self, lane: Lane) -> None:
        while True:
            with anyio.move_on_after(self.config.poll_s) as untold:
                await lane.look.wait()
            lane.look = anyio.Event()
            if lane.stopping:
                return
            if not untold.cancelled_caught or await is_owed(lane):
                await self._look(lane)

    async def _timing(self, lane: Lane) -> None:
        while not lane.stopping:
            await deliver_due(lane)
            await self._take_all_up(lane, await effects(lane))
            lane.timed = True
            await until_due(lane)

    async def _renewing(self, lane: Lane) -> None:
        while True:
            await lane.acting.wait()
            await anyio.sleep(self.config.lease_s / 3)
            keys = [(hot.id, key) for hot in lane.hot.active() for key in hot.under_way]
            if keys:
                until = lane.leased_until()
                await lane.runtime.plane.outbox.renew(self.config.holder, keys, until=until)
            else:
                lane.acting = anyio.Event()

    async def _carrying(self, lane: Lane) -> None:
        while self._audit is not None and not lane.stopping:
            await carry(lane, self._audit)
            await until_kept(lane)
        lane.carrying = False

    # --- work --------------------------------------------------------------------------------

    async def _look(self, lane: Lane) -> None:
        lane.looking += 1
        try:
            await self._take_all_up(lane, await claim(lane))
        finally:
            lane.looking -= 1

    async def _take_all_up(self, lane: Lane, pending: Sequence[Pending]) -> None:
        """Perform effects that were found in the store, beginning them in turns with other planes."""
        turns = Turns(self.lanes)
        for one in pending:
            self._start(self._found, lane, one)
            await turns.took_one()

    async def _found(self, lane: Lane, pending: Pending) -> None:
        try:
            await self._take_up(lane, pending)
        finally:
            lane.taken_up_ended()

    async def _take_up(self, lane: Lane, pending: Pending) -> None:
        """Perform an effect that was found in the store, for a run that may not be in hand."""
        with lane.hot.using(pending.run_id) as hot, containing("take up", run_id=hot.id):
            await lane.until(lambda: not hot.driving)
            if hot.run is not None and pending.key not in hot.run.open:
                hot.forget()  # it was kept from before the effect was asked for
            await self._loaded(lane, hot)
            arrived = await perform(lane, hot, pending)
            if arrived is not None:
                arrive(lane, hot, arrived)

    async def _loaded(self, lane: Lane, hot: HotRun) -> None:
        """Have a run loaded, unless there is no such run."""
        while hot.run is None:
            await lane.until(lambda: not hot.driving)
            await lane.fetch([hot.id])
            if not hot.driving:
                return

    async def _carry(self, lane: Lane, hot: HotRun) -> None:
        """Drive a run, perform what it asks for, and go on with what comes of it.

        One task carries a chain of steps; only what is to happen side by side gets its own.
        Whoever finds that another task drives the run meanwhile leaves it to that one.
        """
        with lane.hot.using(hot.id), containing("carry", run_id=hot.id):
            await self._carried(lane, hot)

    async def _carried(self, lane: Lane, hot: HotRun) -> None:
        while effects := await self._driven(lane, hot):
            *beside, here = effects
            for pending in beside:
                self._start(self._take_up, lane, pending)
            await self._loaded(lane, hot)
            arrived = await perform(lane, hot, here)
            if arrived is None:
                return
            hot.queue.append(Delivery(arrived))
            if hot.driving:
                return
            hot.driving = True
            lane.running += 1

    async def _driven(self, lane: Lane, hot: HotRun) -> list[Pending]:
        """Drive everything that is queued for a run; the effects that came of it.

        Whoever calls has marked the run as being driven and counted it as running.
        """
        effects: list[Pending] = []
        delivery: Delivery | None = None
        try:
            with containing("drive", run_id=hot.id):
                while hot.queue:
                    delivery = hot.queue.popleft()
                    decision = await drive(lane, hot, delivery)
                    hot.failures = 0
                    if isinstance(delivery.event, _IN_TURN):
                        lane.look_again()  # the next in turn may be given out now
                    if decision is not None:
                        self._probe(decision)
                        self._give_up(hot, decision)
                        effects += _pending_of(decision)
                        if isinstance(delivery.event, Release):
                            lane.released(hot, decision)
                return effects
            hot.forget()
            if delivery is not None:
                await self._after_failure(lane, hot, delivery)
            return effects
        finally:
            hot.driving = False
            lane.running -= 1
            lane.ease()
            if hot.queue:
                lane.want(hot)
            if lane.ready:
                lane.work.set()

    async def _after_failure(self, lane: Lane, hot: HotRun, delivery: Delivery) -> None:
        """Give an event back that could not be driven; what is in hand is tried again ever later."""
        lane.give_back(hot, delivery)
        pause_s, longest_s = RESTART_S
        if hot.queue:
            await anyio.sleep(min(pause_s * 2.0**hot.failures, longest_s))
            hot.failures += 1

    def _probe(self, decision: Decision) -> None:
        if decision.arrived:
            self.config.probe("after_outcome")
        if decision.effects:
            self.config.probe("after_intent")

    def _give_up(self, hot: HotRun, decision: Decision) -> None:
        for key in decision.dropped:
            under_way = hot.under_way.get(key)
            if under_way is not None:
                under_way.give_up()

    def _start(
        self, work: Callable[..., Coroutine[Any, Any, None]], lane: Lane, about: object
    ) -> None:
        if lane.group is not None:
            lane.group.start_soon(work, lane, about)


def _pending_of(decision: Decision) -> list[Pending]:
    """The effects that a decision asks for, as the outbox would give them."""
    run_id = decision.run.id
    return [
        Pending(run_id, entry.key, entry.what)
        for entry in decision.effects
        if isinstance(entry.what, Effect) and not entry.review
    ]
