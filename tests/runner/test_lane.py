"""What the runner knows of one plane."""

from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from msgspec.structs import replace

from perdure.ids import Key, RunId
from perdure.kernel.draft import born
from perdure.kernel.model import Advance, Due, Send, Told
from perdure.kernel.program import Move
from perdure.runner.hot import Delivery
from perdure.runner.lane import FENCED_KEPT, LEASE_SHARE, TAKEN_KEPT, Lane
from perdure.stores.runs import Committed, Loaded
from tests.support.builders import a_deadline, a_run_id, a_timer
from tests.support.clock import START, FakeClock
from tests.support.driving import Driven
from tests.support.running import Stage, running
from tests.support.scripted import ScriptedProgram

pytestmark = pytest.mark.anyio

STILL = Stage({"run": {}}, serves=False)


async def test_a_message_is_queued_once(tmp_path: Path) -> None:
    """Until it is given back; an event without a message is queued each time."""
    async with running(tmp_path, STILL) as on_stage:
        lane, run_id = on_stage.lane, a_run_id()
        for _ in range(2):
            lane.deliver(run_id, Told(1), "m")
            lane.deliver(run_id, Told(2))
        hot = lane.hot.at_hand(run_id)
        assert [it.taken for it in hot.queue] == ["m", None, None]
        lane.give_back(hot, hot.queue.popleft())
        lane.deliver(run_id, Told(1), "m")
        assert [it.taken for it in hot.queue] == [None, None, "m"]


async def test_a_time_waits_in_the_queue_once(tmp_path: Path) -> None:
    """However often the timers look while it is on its way."""
    async with running(tmp_path, STILL) as on_stage:
        lane, run_id = on_stage.lane, a_run_id()
        for seq in (1, 1, 2):
            lane.deliver(run_id, Due(Key("k"), seq))
        queue = lane.hot.at_hand(run_id).queue
        assert list(queue) == [Delivery(Due(Key("k"), 1)), Delivery(Due(Key("k"), 2))]


async def test_what_is_remembered_of_messages_has_a_bound(tmp_path: Path) -> None:
    """The oldest are forgotten first."""
    async with running(tmp_path, STILL) as on_stage:
        lane, run_id = on_stage.lane, a_run_id()
        for number in range(TAKEN_KEPT + 1):
            lane.deliver(run_id, Advance(), str(number))
        queue = lane.hot.at_hand(run_id).queue
        queue.clear()
        lane.deliver(run_id, Advance(), "1")
        assert not queue
        lane.deliver(run_id, Advance(), "0")
        assert len(queue) == 1


async def test_a_run_is_wanted_once(tmp_path: Path) -> None:
    """Whoever drives it drives all that is queued."""
    async with running(tmp_path, STILL) as on_stage:
        lane = on_stage.lane
        lane.deliver(a_run_id(), Advance())
        lane.deliver(a_run_id(), Told(1))
        assert len(lane.ready) == 1 and lane.work.is_set()
        assert not lane.rests(), "what waits to be driven is under way"


async def test_whoever_waits_is_woken_when_something_has_ended(tmp_path: Path) -> None:
    """Several at once, each for what it waits for."""
    async with running(tmp_path, STILL) as on_stage:
        lane, woken = on_stage.lane, [0]
        count = [0]

        async def wait(until: int) -> None:
            await lane.until(lambda: count[0] >= until)
            woken[0] += 1

        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                for until in (1, 2, 3):
                    group.start_soon(wait, until)
                while count[0] < 3:
                    await anyio.lowlevel.checkpoint()
                    count[0] += 1
                    lane.ease()
        assert woken == [3]


async def test_one_text_of_a_lease_serves_for_a_while(tmp_path: Path) -> None:
    """For a share of its length."""
    clock = FakeClock()
    async with running(tmp_path, Stage({}, clock=clock, serves=False)) as on_stage:
        lane = on_stage.lane
        first = lane.leased_until()
        clock.advance(lane.config.lease_s / LEASE_SHARE / 2)
        assert lane.leased_until() == first
        clock.advance(lane.config.lease_s / LEASE_SHARE)
        assert lane.leased_until() > first


async def test_commits_of_this_process_are_heard(tmp_path: Path) -> None:
    """Births are begun, messages delivered, and an earlier time wakes the timers; not while stopping."""
    async with running(tmp_path, STILL) as on_stage:
        lane = Lane(on_stage.runtime, on_stage.runner.config)
        timer = Move(waits=(a_timer("t", START),))
        driven = Driven(on_stage.plane, ScriptedProgram({"begin": timer}))
        await driven.bear()
        decision = driven.decide(Advance())
        other, late = RunId("other"), RunId("late")
        sent = replace(decision, sends=(Send("s", other, "cancel"),))
        lane.heard([Committed(sent, ())])
        assert lane.hot.known(other) is not None and lane.tick.is_set()
        lane.stopping = True
        lane.heard([Committed(replace(decision, sends=(Send("t", late, "cancel"),)), ())])
        assert lane.hot.known(late) is None


async def test_what_another_may_have_to_go_before_is_left_to_the_store(tmp_path: Path) -> None:
    """Holds and releases are claimed in their order."""
    async with running(tmp_path, STILL) as on_stage:
        lane = Lane(on_stage.runtime, on_stage.runner.config)
        driven = Driven(on_stage.plane, ScriptedProgram({}))
        await driven.bear()
        other = RunId("other")
        decision = replace(driven.decide(Told(1)), sends=(Send("s", other, "hold"),))
        lane.heard([Committed(decision, ())])
        assert lane.hot.known(other) is None and lane.look.is_set()


async def test_runs_are_loaded_together_and_what_is_not_there_is_not_kept(tmp_path: Path) -> None:
    """A run that was asked for and does not exist leaves nothing behind."""
    async with running(tmp_path, STILL) as on_stage:
        lane = Lane(on_stage.runtime, on_stage.runner.config)
        run_id = await on_stage.start()
        with lane.hot.using(run_id) as hot, lane.hot.using(RunId("nobody")) as nobody:
            await lane.fetch([run_id, nobody.id, run_id])
            assert hot.run is not None and nobody.run is None
            assert len(lane.hot.active()) == 2
        assert lane.hot.active() == () and lane.hot.known(RunId("nobody")) is None


async def test_whatever_brings_a_run_into_hand_tells_the_timers_of_its_deadline(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, Stage(clock=FakeClock(), serves=False)) as on_stage:
        deadline = a_deadline(60)
        assert deadline is not None
        run_id = await on_stage.start(deadline=deadline)
        assert on_stage.lane.next_due == deadline.at, "a birth of this process"
        lane = Lane(on_stage.runtime, on_stage.runner.config)
        with lane.hot.using(run_id):
            await lane.fetch([run_id])
        assert lane.next_due == deadline.at, "a run that was elsewhere"


async def test_nothing_is_to_begin_behind_a_deadline(tmp_path: Path) -> None:
    clock = FakeClock()
    async with running(tmp_path, Stage(clock=clock, serves=False)) as on_stage:
        birth = on_stage.birth(deadline=a_deadline(60))
        assert not on_stage.lane.is_fenced(birth)
        clock.advance(60)
        assert on_stage.lane.is_fenced(birth) and not on_stage.lane.is_fenced(on_stage.birth())


async def test_a_fence_stands_before_all_that_is_below_a_run(tmp_path: Path) -> None:
    """As far as the runs between are in hand; the newest fences are remembered."""
    async with running(tmp_path, STILL) as on_stage:
        lane = on_stage.lane
        top, middle = on_stage.birth(), on_stage.birth()
        middle = replace(middle, parent_id=top.id, root_id=top.id)
        low = replace(on_stage.birth(), parent_id=middle.id, root_id=a_run_id())
        assert not lane.is_fenced(low)
        lane.fence(top.id)
        assert lane.is_fenced(top) and lane.is_fenced(middle) and not lane.is_fenced(low)
        lane.hot.at_hand(middle.id).take(Loaded(born(middle, {}).run, {}, 0, 0))
        assert lane.is_fenced(low) and not lane.is_fenced(on_stage.birth())
        for number in range(FENCED_KEPT):
            lane.fence(RunId(str(number)))
        assert not lane.is_fenced(top)
