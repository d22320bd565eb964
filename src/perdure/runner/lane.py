"""What the runner knows of one plane: the runs in hand, what is to reach them, and what wakes it."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

import anyio
from anyio.abc import TaskGroup

from perdure.clock import text_of
from perdure.ids import RunId
from perdure.kernel.model import (
    Advance,
    Arrived,
    Birth,
    Decision,
    Due,
    Event,
    Expired,
    Open,
    Run,
    Send,
    Status,
    Wait,
)
from perdure.registry.registry import Registry
from perdure.runner.config import RunnerConfig
from perdure.runner.events import event_of
from perdure.runner.hot import Delivery, HotRun, HotRuns
from perdure.runner.loads import Loads
from perdure.runner.trees import Trees
from perdure.runtimes.context import RuntimeContext
from perdure.stores.runs import Committed, Loaded

LEASE_SHARE = 10  # of a lease's length, for which the same text serves
FENCED_KEPT = 10_000  # runs whose cancel is remembered, until it has reached all below them
TAKEN_KEPT = 10_000  # ids of messages delivered lately, so that a claim does not bring them again
# Messages that another of their kind may have to go before: only the store knows whether one does.
IN_TURN = ("hold", "release")


class Lane:
    """One plane in the runner. Lives on the event loop; nothing of it is durable."""

    def __init__(self, runtime: RuntimeContext, config: RunnerConfig) -> None:
        """Begin with empty hands."""
        self.runtime = runtime
        self.config = config
        self.hot = HotRuns(config.hot_idle_max)
        self.loads = Loads(runtime.plane.runs.load)
        self.trees = Trees(runtime.plane.runs.living)
        self.ready: deque[HotRun] = deque()
        self.running = 0
        self.performing = 0
        self.stopping = False
        self.runs_at_once = min(config.runs_at_once, runtime.limits.runs_at_once)
        self.effects_at_once = min(config.effects_at_once, runtime.limits.effects_at_once)
        self.room = anyio.Semaphore(self.effects_at_once, fast_acquire=True)
        self.taken_up = 0  # effects that were found in the store and are in hand
        self.left_some = False  # whether more were there than could be taken up
        self._eased = anyio.Event()  # a drive or an effect has ended
        self._awaited = 0
        self.work = anyio.Event()  # something is in `ready`
        self.look = anyio.Event()  # the stores have something that nobody has delivered
        self.acting = anyio.Event()  # effects are under way, or were lately
        self.tick = anyio.Event()  # a wait may be due earlier than the timers think
        self.next_due: str | None = None
        self.kept = anyio.Event()  # the plane has an entry for the audit
        self.carrying = True  # such entries may be on their way
        self.sweeping = False  # bytes that nothing names are being taken away
        self.group: TaskGroup | None = None  # of everything that happens for this plane
        self.looking = 1  # looks at the stores that are to end; the first is due at once
        self.timed = False  # whether the timers have looked
        self.closing = anyio.Event()
        self.closed = anyio.Event()
        self._delivered: dict[str, None] = {}
        self._fenced: dict[RunId, None] = {}  # runs that are cancelled, or about to be
        self._lease, self._lease_made_at = "", float("-inf")

    def rests(self) -> bool:
        """Whether nothing is being driven or performed, or on its way to be driven."""
        return not (self.running or self.performing or self.ready)

    def idle(self) -> bool:
        """Whether nothing is in hand, and nothing is known that the stores have for anybody."""
        waits = (
            not self.timed or self.looking or self.look.is_set() or self.taken_up or self.left_some
        )
        tidies = self.carrying or self.kept.is_set() or self.sweeping
        return self.rests() and not waits and not tidies and not self.hot.active()

    @property
    def registry(self) -> Registry:
        """What this installation can do."""
        return self.runtime.registry

    def now(self) -> str:
        """The time, as the stores take it."""
        return text_of(self.runtime.clock.now())

    def leased_until(self) -> str:
        """Until when a lease taken now holds: one text for many, a little short for the last of them."""
        clock = self.runtime.clock
        if clock.monotonic() >= self._lease_made_at + self.config.lease_s / LEASE_SHARE:
            self._lease_made_at = clock.monotonic()
            self._lease = text_of(clock.now() + timedelta(seconds=self.config.lease_s))
        return self._lease

    def deliver(self, run_id: RunId, event: Event, taken: str | None = None) -> None:
        """Queue an event for a run, and have somebody drive it. A message or a time is queued once."""
        if taken is not None:
            if taken in self._delivered:
                return
            self._delivered[taken] = None
            while len(self._delivered) > TAKEN_KEPT:
                del self._delivered[next(iter(self._delivered))]
        hot = self.hot.at_hand(run_id)
        delivery = Delivery(event, taken)
        if isinstance(event, Due | Expired) and delivery in hot.queue:
            return
        hot.queue.append(delivery)
        self.want(hot)

    def want(self, hot: HotRun) -> None:
        """Have a run driven, unless somebody drives it already."""
        if not hot.driving:
            hot.driving = True
            self.ready.append(hot)
            self.work.set()

    def ease(self) -> None:
        """Tell whoever waits for room, or for rest, that there is more of it."""
        if self._awaited:
            self._eased.set()
            self._eased = anyio.Event()

    async def until(self, state: Callable[[], bool]) -> None:
        """Wait until `state` holds; it is looked at whenever a drive or an effect has ended."""
        self._awaited += 1
        try:
            while not state():
                await self._eased.wait()
        finally:
            self._awaited -= 1

    async def fetch(self, run_ids: Sequence[RunId]) -> None:
        """Load the runs that are not in hand, all at once."""
        cold = [run_id for run_id in dict.fromkeys(run_ids) if self.hot.at_hand(run_id).run is None]
        if cold:
            found = await self.loads.load(cold)
            for run_id in (it for it in cold if it in found):
                hot = self.hot.at_hand(run_id)
                if hot.run is None and not hot.driving:
                    self.take(hot, found[run_id])

    def take(self, hot: HotRun, loaded: Loaded) -> None:
        """Have a run in hand as the store has it, and the timers know when it is to end.

        A deadline that has passed is theirs already, or will be at their next look.
        """
        hot.take(loaded)
        deadline = loaded.run.birth.deadline
        if deadline is not None and deadline.at > self.now():
            self.due_at(deadline.at)

    async def bring(self, events: Sequence[tuple[RunId, Event, str | None]]) -> None:
        """Deliver events to runs that are loaded all at once."""
        run_ids = [run_id for run_id, _, _ in events]
        try:
            await self.fetch(run_ids)
            for run_id, event, taken in events:
                self.deliver(run_id, event, taken)
        finally:
            for run_id in run_ids:  # for some there was nothing new
                self.hot.rest(self.hot.at_hand(run_id))

    def give_back(self, hot: HotRun, delivery: Delivery) -> None:
        """Leave an event to a later look: a message in its inbox, an outcome in hand, the rest in the stores."""
        if delivery.taken is not None:
            self._delivered.pop(delivery.taken, None)
        elif isinstance(delivery.event, Arrived):
            hot.queue.append(delivery)
        self.look_again()

    def room_to_take_up(self) -> int:
        """How many effects may be taken up from the store, of those that wait there."""
        return self.effects_at_once - self.taken_up

    def taken_up_ended(self) -> None:
        """Count the end of one, and look for more where some were left and half are done."""
        self.taken_up -= 1
        if self.left_some and self.taken_up <= self.effects_at_once // 2:
            self.left_some = False
            self.look_again()

    def has_kept(self) -> None:
        """Have what the plane keeps for the audit handed over soon."""
        self.kept.set()

    def look_again(self) -> None:
        """Ask the stores what there is to do."""
        self.look.set()

    def heard(self, batch: Sequence[Committed]) -> None:
        """Hear of commits of this process: births to begin, messages to deliver, times to keep."""
        if self.stopping:
            return
        for committed in batch:
            self._fence_if_cancelled(committed.decision.run)
            decision = committed.decision
            if decision.read_version == 0:
                self._begin(decision)
            for send in decision.sends:  # before births: a child may be cancelled as it is born
                self._pass_on(send)
            for birth in decision.births:
                self._begin(birth)
            if decision.opened:
                self.keep_times(decision.opened)
            if decision.redo:
                self.look_again()

    def _begin(self, birth: Decision) -> None:
        """Begin a run that this process has just born; what it was born with is at hand."""
        hot = self.hot.at_hand(birth.run.id)
        if hot.run is None and not hot.driving:
            self.take(hot, Loaded(birth.run, dict(birth.writes), bytes_since=0, snapshot_bytes=0))
        self.deliver(birth.run.id, Advance())

    def _pass_on(self, send: Send) -> None:
        if send.kind == "cancel":
            self.fence(send.to)
        if send.kind in IN_TURN:
            self.look_again()
        else:
            self.deliver(send.to, event_of(send.kind, send.key, send.body), send.id)

    def _fence_if_cancelled(self, run: Run) -> None:
        if run.status is Status.CANCELLED:
            self.fence(run.id)

    def fence(self, run_id: RunId) -> None:
        """Begin no effect of a run and of those below it: its cancel is committed, and theirs are on their way."""
        self._fenced[run_id] = None
        while len(self._fenced) > FENCED_KEPT:
            del self._fenced[next(iter(self._fenced))]

    def is_fenced(self, birth: Birth) -> bool:
        """Whether a run, or one above it as far as they are in hand, is behind a fence: a cancel, or its deadline."""
        if birth.deadline is not None and birth.deadline.at <= self.now():
            return True
        if not self._fenced:
            return False
        above: Birth | None = birth
        while above is not None:
            if not self._fenced.keys().isdisjoint((above.id, above.parent_id, above.root_id)):
                return True
            hot = None if above.parent_id is None else self.hot.known(above.parent_id)
            above = None if hot is None or hot.run is None else hot.run.birth
        return False

    def keep_times(self, opened: Iterable[Open]) -> None:
        """Have the timers know when waits come due."""
        for entry in opened:
            if isinstance(entry.what, Wait) and entry.what.until is not None:
                self.due_at(text_of(entry.what.until))

    def released(self, hot: HotRun, decision: Decision) -> None:
        """Go on with a run whose hold is over: the stores have what was left alone meanwhile."""
        if decision.run.ready:
            hot.queue.append(Delivery(Advance()))
        self.keep_times(decision.run.open.values())
        self.look_again()

    def due_at(self, due: str) -> None:
        """Have the timers look no later than at `due`."""
        if self.next_due is None or due < self.next_due:
            self.next_due = due
            self.tick.set()
