"""A sandbox answers with what the code came to, refuses with the reason, and leaves no process behind."""

import os
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from perdure.features.code.bounds import MIB
from perdure.features.code.sandbox import sandbox as sandboxes
from perdure.features.code.sandbox.sandbox import EXECUTION, Answer, Code, Refusal, Sandbox
from perdure.features.code.sandbox.ways import ENGINE, Missing, Wasm, Way
from perdure.kernel.values import Json
from tests.support.sandboxes import BOUNDS, PATIENCE_S, WAYS, a_sandbox, a_way, function_of, run

pytestmark = pytest.mark.anyio
ENDLESS = Code(function_of("while True: pass"), "transform", None)


@pytest.mark.parametrize("way", WAYS)
def test_it_answers_with_the_output_and_what_it_took(way: str) -> None:
    ran = run("import json, re, math, decimal, statistics\nprint('seen')\nreturn [given, math.pi]", {"a": None}, way=way)  # fmt: skip
    assert isinstance(ran, Answer)
    assert ran.output == [{"a": None}, 3.141592653589793] and ran.error is None
    assert ran.printed == "seen\n" and set(ran.execution) == set(EXECUTION)
    assert ran.execution["memory_rss_mb"] > 0
    assert 0 <= ran.execution["cpu_time_ms"] < 1000 * BOUNDS.time_s


@pytest.mark.parametrize("way", WAYS)
def test_time_zones_are_there_to_be_read(way: str) -> None:
    body = "import datetime, zoneinfo\nwinter = datetime.datetime(2026, 1, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))\nreturn str(winter)"
    ran = run(body, way=way)
    assert isinstance(ran, Answer) and ran.output == "2026-01-01 00:00:00+01:00"


@pytest.mark.parametrize("way", WAYS)
def test_what_is_written_past_python_is_not_the_answer(way: str) -> None:
    ran = run("import os\nos.write(1, b'{}')\nreturn given", [1], way=way)
    assert isinstance(ran, Answer) and ran.output == [1]


def test_code_too_large_to_be_given_is_refused_before_it_runs() -> None:
    ran = run("return 1", "x" * 2_000, replace(BOUNDS, input_bytes=1_000))
    assert isinstance(ran, Refusal) and ran.code == "limit_reached"


@pytest.mark.parametrize("way", WAYS)
def test_code_that_takes_too_long_is_ended(way: str) -> None:
    ran = run("import time\ntime.sleep(60)", bounds=replace(BOUNDS, time_s=0.5), way=way)
    assert isinstance(ran, Refusal) and ran.code == "limit_reached" and "0.5 s" in ran.detail


@pytest.mark.parametrize("way", WAYS)
def test_memory_is_granted_up_to_the_bound(way: str) -> None:
    body = "return len(bytearray(given))"
    within = run(body, 32 * MIB, replace(BOUNDS, memory_bytes=64 * MIB), way)
    assert isinstance(within, Answer) and within.output == 32 * MIB
    beyond = run(body, 96 * MIB, replace(BOUNDS, memory_bytes=64 * MIB), way)
    assert "emory" in (beyond.detail if isinstance(beyond, Refusal) else str(beyond.error))


class Absent:
    """A way that is not there, and remembers how often it was asked for."""

    name = "absent"

    def __init__(self) -> None:
        self.asked = 0

    def there(self) -> bool:
        """Say so."""
        return False

    async def ready(self) -> dict[str, Json]:
        """Say that it is not there."""
        self.asked += 1
        raise Missing("an old kernel")

    def close(self) -> None:
        """Nothing was made."""


class Emptied(Wasm):
    """A way whose file was taken away after it was made ready, which its keeper finds out."""

    async def ready(self) -> dict[str, Json]:
        """What is not there any more."""
        return {"module": "/nowhere", "engine": str(ENGINE)}


@pytest.mark.parametrize("first", [Absent(), Emptied(Path("/nowhere"))], ids=["absent", "emptied"])
async def test_the_first_way_that_is_there_is_taken(first: Way) -> None:
    with a_sandbox(ways=[first, a_way("wasm"), a_way("landlock")]) as sandbox:
        assert sandbox.way is None
        assert isinstance(await sandbox.run(Code("1", None, None)), Answer)
        assert sandbox.way == "wasm"


async def test_what_is_expected_is_what_is_taken_and_known_before() -> None:
    with a_sandbox(ways=[Absent(), a_way("wasm")]) as sandbox:
        assert (sandbox.expected, sandbox.way) == ("wasm", None)
        assert isinstance(await sandbox.run(Code("1", None, None)), Answer)
        assert sandbox.way == sandbox.expected
    assert Sandbox(BOUNDS, [Absent()]).expected is None


async def test_the_way_that_was_taken_is_kept() -> None:
    absent = Absent()
    with a_sandbox(ways=[absent, a_way("landlock")]) as sandbox:
        for _ in range(2):
            assert isinstance(await sandbox.run(Code("1", None, None)), Answer)
    assert absent.asked == 1


async def test_where_no_way_is_there_each_says_why_and_is_asked_again() -> None:
    absent = Absent()
    with a_sandbox(ways=[absent, absent]) as sandbox:
        for times in (2, 4):
            ran = await sandbox.run(Code("1", None, None))
            assert isinstance(ran, Refusal) and ran.code == "sandbox_unavailable"
            assert ran.detail.count("absent: an old kernel") == 2 and absent.asked == times


async def test_where_there_is_no_sandbox_it_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = tmp_path / "keeper.py"
    keeper.write_text('print(\'{"ended": "refused", "detail": "no Landlock"}\')')
    monkeypatch.setattr(sandboxes, "KEEPER", keeper)
    with a_sandbox() as sandbox:
        ran = await sandbox.run(Code("1", None, None))
    assert isinstance(ran, Refusal) and ran.code == "sandbox_unavailable"
    assert "no Landlock" in ran.detail


@pytest.mark.parametrize(
    "said", ["", "{}", "no report\n", '{"ended": "exited", "code": 0}\nno answer']
)
async def test_a_keeper_that_says_nothing_of_use_is_no_answer(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = tmp_path / "keeper.py"
    keeper.write_text(f"print({said!r}, end='')")
    monkeypatch.setattr(sandboxes, "KEEPER", keeper)
    with a_sandbox() as sandbox:
        ran = await sandbox.run(Code("1", None, None))
    assert isinstance(ran, Refusal) and ran.code == "code_died"


async def test_whoever_is_cancelled_leaves_no_process_behind() -> None:
    before = processes()
    with a_sandbox() as sandbox:
        with anyio.move_on_after(1.0):
            await sandbox.run(ENDLESS)
        with anyio.fail_after(PATIENCE_S):
            while processes() - before:
                await anyio.sleep(0.01)


@pytest.mark.parametrize("way", WAYS)
async def test_as_many_run_at_once_as_may(way: str) -> None:
    ran: list[object] = []
    sleeps = Code(function_of("import time\ntime.sleep(0.5)\nreturn 1"), "transform", None)

    async def run_one() -> None:
        ran.append(await sandbox.run(sleeps))

    with a_sandbox(replace(BOUNDS, at_once=4), ways=(a_way(way),)) as sandbox:
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(run_one)
    assert [isinstance(it, Answer) and it.output for it in ran] == [1] * 4, ran


@pytest.mark.parametrize("way", WAYS)
async def test_long_code_takes_the_processor_that_nobody_else_asks_for(way: str) -> None:
    def last() -> bool:
        """Whether the code goes behind this process and its keeper, with which it must share a session."""
        born = processes() - before
        shares = sorted((os.sched_getscheduler(it), len(os.sched_getaffinity(it))) for it in born)
        expected = [(os.SCHED_OTHER, allowed), (os.SCHED_IDLE, allowed - allowed // 2)]
        return shares == expected and {os.getsid(it) for it in born} == {os.getsid(0)}

    before, allowed = processes(), len(os.sched_getaffinity(0))
    with a_sandbox(ways=(a_way(way),)) as sandbox:
        async with anyio.create_task_group() as group:
            group.start_soon(sandbox.run, ENDLESS)
            with anyio.fail_after(PATIENCE_S):
                while not last():
                    await anyio.sleep(0.01)
            group.cancel_scope.cancel()


def test_short_code_has_its_turn_among_all_the_others() -> None:
    """However long it takes by the clock: else it would not come to its end on a busy machine."""
    ran = run("import os, time\ntime.sleep(1)\nreturn os.sched_getscheduler(0)")
    assert isinstance(ran, Answer) and ran.output == os.SCHED_OTHER


async def test_a_keeper_that_ignores_the_signal_is_dead_soon_after_the_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, born = tmp_path / "keeper.py", tmp_path / "born"
    keeper.write_text(
        "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"os.fork()\nopen({str(born)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
        "while True: signal.pause()\n"
    )
    monkeypatch.setattr(sandboxes, "KEEPER", keeper)
    with a_sandbox() as sandbox:
        async with anyio.create_task_group() as group:
            group.start_soon(sandbox.run, ENDLESS)
            while not born.exists() or born.read_text().count("\n") < 2:
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()
    assert all(gone(int(pid)) for pid in born.read_text().split())


async def test_so_many_run_at_once_and_the_others_wait() -> None:
    body = "import time\nbegun = time.time()\ntime.sleep(0.3)\nreturn [begun, time.time()]"
    times: list[list[float]] = []

    async def one() -> None:
        ran = await sandbox.run(Code(function_of(body), "transform", None))
        assert isinstance(ran, Answer)
        times.append(ran.output)

    with a_sandbox(replace(BOUNDS, at_once=1)) as sandbox:
        async with anyio.create_task_group() as group:
            group.start_soon(one)
            group.start_soon(one)
    (_, first_ended), (second_begun, _) = sorted(times)
    assert first_ended <= second_begun


def processes() -> set[int]:
    """The processes below this one that live."""
    found: set[int] = set()
    pending = [os.getpid()]
    while pending:
        for listed in Path(f"/proc/{pending.pop()}/task").glob("*/children"):
            children = {int(it) for it in listed.read_text().split()}
            pending += [it for it in children if not gone(it)]
            found |= {it for it in children if not gone(it)}
    return found


def gone(pid: int) -> bool:
    """Whether a process has ended, be it waited for or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
