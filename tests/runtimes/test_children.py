"""What a child is asked it answers, within its time and its words, and nobody who stops waiting leaves one behind."""

import os
import signal
from pathlib import Path

import anyio
import pytest

from perdure.runtimes.children import GRACE_S, Heard, Limits, asked, bound

pytestmark = pytest.mark.anyio
PATIENCE_S = 30.0
STUBBORN = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
open({born!r}, "a").write(f"{{os.getpid()}}\\n")
while True: signal.pause()
"""
LIMITED = """
import os, resource, signal
print(resource.getrlimit(resource.RLIMIT_CPU), resource.getrlimit(resource.RLIMIT_AS), flush=True)
os.kill(os.getpid(), signal.SIGXCPU)
"""


def a_script(folder: Path, source: str) -> Path:
    """A script to be run."""
    script = folder / "script.py"
    script.write_text(source)
    return script


async def run(folder: Path, source: str, order: bytes = b"", most: int = 1_000) -> Heard:
    """What a script says that has time enough."""
    script = a_script(folder, source)
    return await asked([str(script)], order, time_s=PATIENCE_S, said_bytes_max=most)


async def test_it_hears_its_order_and_is_heard_to_its_end(tmp_path: Path) -> None:
    source = "import sys\nsys.stdout.write(sys.stdin.read()[::-1])\nsys.exit(3)"
    assert await run(tmp_path, source, b"abc") == Heard(b"cba", 3)


async def test_it_finds_nothing_that_this_process_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_AUTH_TOKEN", "secret")
    heard = await run(tmp_path, "import os\nprint('PERDURE_AUTH_TOKEN' in os.environ)")
    assert heard == Heard(b"False\n", 0)


async def test_it_has_a_group_of_its_own_in_this_session(tmp_path: Path) -> None:
    source = "import os\nprint(os.getpgrp() == os.getpid(), os.getsid(0))"
    assert await run(tmp_path, source) == Heard(f"True {os.getsid(0)}\n".encode(), 0)


async def test_what_it_says_is_bounded_on_both_sides(tmp_path: Path) -> None:
    assert await run(tmp_path, "print('x' * 999)") == Heard(b"x" * 999 + b"\n", 0)
    talked = await run(tmp_path, "while True: print('x' * 999, flush=True)")
    assert talked.status is None and len(talked.said) > 1_000


async def test_one_that_does_not_listen_is_heard_all_the_same(tmp_path: Path) -> None:
    source = "import os\nos.close(0)\nprint('no')"
    assert await run(tmp_path, source, b"x" * 10_000_000) == Heard(b"no\n", 0)


async def test_one_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    script = a_script(tmp_path, "import time\nprint('here', flush=True)\ntime.sleep(600)")
    with anyio.fail_after(PATIENCE_S):
        heard = await asked([str(script)], b"", time_s=1.0, said_bytes_max=100)
    assert heard.status is None


@pytest.mark.parametrize("how", ["time", "cancel"])
async def test_one_that_will_not_end_is_killed_with_its_group(tmp_path: Path, how: str) -> None:
    born = tmp_path / "born"
    script = a_script(tmp_path, STUBBORN.format(born=str(born)))
    time_s = 1.0 if how == "time" else 2 * PATIENCE_S

    def both() -> bool:
        return born.exists() and born.read_text().count("\n") == 2

    async def ask(time_s: float) -> None:
        await asked([str(script)], b"", time_s=time_s, said_bytes_max=100)

    with anyio.fail_after(2 * PATIENCE_S):
        while not both():  # a slow machine needs more time until there are two to be killed
            born.unlink(missing_ok=True)
            async with anyio.create_task_group() as group:
                group.start_soon(ask, time_s)
                while how == "cancel" and not both():
                    await anyio.sleep(0.01)
                if how == "cancel":
                    group.cancel_scope.cancel()
            time_s *= 2
        while not all(gone(int(pid)) for pid in born.read_text().split()):
            await anyio.sleep(0.01)
    assert GRACE_S > 0


async def test_a_bound_script_is_run_with_its_limits(tmp_path: Path) -> None:
    """It says them and ends as at the first of them, which on a busy machine could come late: it goes behind others."""
    script = a_script(tmp_path, LIMITED)
    limits = Limits(cpu_s=1, memory_bytes=256 * 1024 * 1024)
    heard = await asked(bound(script, limits), b"", time_s=2 * PATIENCE_S, said_bytes_max=100)
    assert heard == Heard(b"(1, 2) (268435456, 268435456)\n", -signal.SIGXCPU)


def gone(pid: int) -> bool:
    """Whether a process has ended, be it waited for or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
