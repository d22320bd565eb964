"""A sandbox answers with what the code came to, refuses with the reason, and leaves no process behind."""

import os
import time
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from perdure.features.code.sandbox import sandbox as sandboxes
from perdure.features.code.sandbox.sandbox import EXECUTION, Answer, Code, Refusal
from tests.support.sandboxes import BOUNDS, PATIENCE_S, a_sandbox, function_of, run

pytestmark = pytest.mark.anyio
ENDLESS = Code(function_of("while True: pass"), "transform", None)


def test_it_answers_with_the_output_and_what_it_took() -> None:
    ran = run("import json, re, math, decimal, statistics\nprint('seen')\nreturn [given, math.pi]", {"a": None})  # fmt: skip
    assert isinstance(ran, Answer)
    assert ran.output == [{"a": None}, 3.141592653589793] and ran.error is None
    assert ran.printed == "seen\n" and set(ran.execution) == set(EXECUTION)
    assert ran.execution["memory_rss_mb"] > 0


def test_code_too_large_to_be_given_is_refused_before_it_runs() -> None:
    ran = run("return 1", "x" * 2_000, replace(BOUNDS, input_bytes=1_000))
    assert isinstance(ran, Refusal) and ran.code == "limit_reached"


def test_code_that_takes_too_long_is_ended() -> None:
    ran = run("import time\ntime.sleep(60)", bounds=replace(BOUNDS, time_s=0.5))
    assert isinstance(ran, Refusal) and ran.code == "limit_reached" and "0.5 s" in ran.detail


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
    with a_sandbox(replace(BOUNDS, at_once=1)) as sandbox:
        ended: list[float] = []

        async def one() -> None:
            ran = await sandbox.run(
                Code(function_of("import time\ntime.sleep(0.3)"), "transform", None)
            )
            assert isinstance(ran, Answer)
            ended.append(time.monotonic())

        async with anyio.create_task_group() as group:
            group.start_soon(one)
            group.start_soon(one)
    assert ended[1] - ended[0] >= 0.3


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
