"""The keeper closes its sandbox before anything runs in it, says how it ended, and takes it with it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from perdure.features.code.sandbox.sandbox import INSIDE, KEEPER
from perdure.features.code.sandbox.tree import fell, plant
from perdure.kernel.values import Json
from tests.support.sandboxes import BOUNDS, WASM, WAYS, function_of


@pytest.fixture(scope="module")
def ready() -> Generator[dict[str, Json]]:
    """What the ways of closing a sandbox stand on."""
    planted = plant()
    yield {"tree": planted._asdict(), **anyio.run(WASM.ready)}
    fell(planted)


def an_order(body: str, ready: dict[str, Json], way: str = "landlock") -> bytes:
    """The order to run a body."""
    bounds = {name: getattr(BOUNDS, name) for name in type(BOUNDS).__slots__}
    code = {"source": function_of(body), "function": "transform", "input": None}
    order = {"way": way, "inside": INSIDE.read_text(), "bounds": bounds, "code": code, **ready}
    return json.dumps(order).encode()


@contextmanager
def a_keeper(order: bytes, *before: str) -> Generator["subprocess.Popen[bytes]"]:
    """A keeper with its order; `before` is Python that runs before it."""
    run = [sys.executable, "-I", str(KEEPER)]
    if before:
        begin = (
            f"{before[0]}\nimport runpy, sys\nrunpy.run_path({str(KEEPER)!r}, run_name='__main__')"
        )
        run = [sys.executable, "-I", "-c", begin]
    with subprocess.Popen(
        run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}, start_new_session=True
    ) as keeper:
        assert keeper.stdin is not None
        keeper.stdin.write(order)
        keeper.stdin.close()
        yield keeper
        keeper.kill()


def reported(keeper: "subprocess.Popen[bytes]") -> tuple[Json, bytes]:
    """What a keeper says, and the answer after it."""
    assert keeper.stdout is not None
    line, _, answer = keeper.stdout.read().partition(b"\n")
    return json.loads(line), answer


@pytest.mark.parametrize("way", WAYS)
def test_it_reports_the_end_and_passes_the_answer_on(way: str, ready: dict[str, Json]) -> None:
    with a_keeper(an_order("print('said')\nreturn 7", ready, way)) as keeper:
        report, answer = reported(keeper)
    assert report["ended"] == "exited" and report["printed"] == "said\n"
    assert json.loads(answer)["output"] == 7
    assert report["rss_mb"] > 0


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ("import sys\nsys.modules['sandlock'] = None", "library is not there"),
        ("import sandlock\nsandlock.landlock_abi_version = lambda: 4", "Landlock 4"),
        ("import sandlock\nsandlock.Sandbox.popen = lambda *_, **__: 1 / 0 if 0 else (_ for _ in ()).throw(RuntimeError('no'))", "cannot be closed"),
    ],
)  # fmt: skip
def test_without_a_sandbox_nothing_runs_and_it_says_why(
    before: str, why: str, ready: dict[str, Json], tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    with a_keeper(an_order(f"open({str(mark)!r}, 'w')", ready), before) as keeper:
        report, answer = reported(keeper)
    assert report["ended"] == "refused" and why in report["detail"]
    assert answer == b"" and not mark.exists()


def test_a_sandbox_that_cannot_be_closed_for_a_moment_is_tried_again(
    ready: dict[str, Json],
) -> None:
    before = (
        "import sandlock\nreal, left = sandlock.Sandbox.popen, [1]\n"
        "def popen(*given, **more):\n    if left: raise RuntimeError(left.pop())\n    return real(*given, **more)\n"
        "sandlock.Sandbox.popen = popen"
    )
    with a_keeper(an_order("return 7", ready), before) as keeper:
        report, answer = reported(keeper)
    assert report["ended"] == "exited" and json.loads(answer)["output"] == 7


def children_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for it in found for child in it.read_text().split()]


def lives(pid: int) -> bool:
    """Whether a process is there and not only waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("gone", "why"), [("module", "does not start"), ("engine", "did not begin")]
)
def test_an_engine_that_does_not_begin_is_no_sandbox(
    gone: str, why: str, ready: dict[str, Json]
) -> None:
    with a_keeper(an_order("return 7", ready | {gone: "/nowhere"}, "wasm")) as keeper:
        report, answer = reported(keeper)
    assert report["ended"] == "refused" and why in report["detail"] and answer == b""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_the_sandbox_ends_with_its_keeper_also_where_it_ignores_signals(
    sent: signal.Signals, way: str, ready: dict[str, Json]
) -> None:
    body = "import signal\nfor it in (1, 2, 3, 15): signal.signal(it, signal.SIG_IGN)\nwhile True: pass"
    with a_keeper(an_order(body, ready, way)) as keeper:
        until = time.monotonic() + 20
        while not (started := children_of(keeper.pid)) and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(keeper.pid, sent)
        keeper.wait(10)
        while any(map(lives, started)) and time.monotonic() < until:
            time.sleep(0.01)
        assert started and not any(map(lives, started))


def test_it_imports_nothing_of_the_program() -> None:
    assert "perdure" not in KEEPER.read_text()
