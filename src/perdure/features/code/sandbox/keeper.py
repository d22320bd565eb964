"""The keeper of a sandbox: a process that closes it, has code run in it, and says how that ended.

It is run by its path, in Python's isolated mode, and imports nothing of the program. Its order is
one JSON document on its standard input; its report is one line of JSON on its standard output, and
after it the answer of the code as it came. It keeps one sandbox, once, and dies with its parent; the
sandbox dies with it.

What closes the sandbox is one of two. Sandlock: Landlock for files and for TCP, seccomp for all the
rest; the code has no file but Python's own library, no network, no other process, and no second one.
Or WebAssembly: the code is in an engine that has none of these to give.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from typing import IO, Any, NamedTuple

PR_SET_PDEATHSIG = 1
NICE = 19  # foreign code goes behind the program's own work
START_S = (
    0.5  # of the processor, with which short code is done; long code goes on with what is left
)
LOOK_S = 0.05  # between two looks at how much it had, at least
PIECE = 65_536
TRIES, PAUSE_S = (
    3,
    0.05,
)  # to close a sandbox: a machine may have no room for a process for a moment
BEGUN = b"begun"  # what an engine says when all is closed
FILE_BYTES_MAX = (
    256 * 1024 * 1024
)  # of the interpreter, which is read from memory; foreign code writes none
# Beside what sandlock refuses by itself: what would undo a bound, or keep memory that nobody counts.
REFUSED = [
    "prctl", "memfd_create", "setpriority", "sched_setaffinity", "sched_setscheduler",
    "sched_setparam", "sched_setattr", "ioprio_set", "setrlimit", "socketpair", "chroot",
]  # fmt: skip


def main() -> None:
    """Do the one order."""
    _die_with_parent()
    order = json.loads(sys.stdin.buffer.read())
    report, answer = _kept(order)
    sys.stdout.buffer.write(json.dumps(report).encode() + b"\n" + answer)
    sys.stdout.buffer.flush()
    os._exit(0)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _kept(order: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Close a sandbox, run the code, and tell how it ended; `refused` where none can be closed here."""
    process = _WAYS[order["way"]](order)
    if isinstance(process, str):
        return {"ended": "refused", "detail": process}, b""
    return _Watch(process, order["bounds"]).watched(json.dumps(order["code"]).encode())


def _landlocked(order: dict[str, Any]) -> Any:
    """A process that the kernel has closed, or why there is none."""
    try:
        import sandlock  # noqa: PLC0415 - a missing library is reported, not a crash
    except (ImportError, OSError) as missing:
        return f"the sandbox's library is not there: {missing}"
    try:
        there, needed = sandlock.landlock_abi_version(), sandlock.min_landlock_abi()
        if there < needed:
            return f"the kernel has Landlock {there}, and {needed} is needed"
        _bind(order["bounds"])
        return _closed(sandlock, order)
    except (sandlock.SandlockError, RuntimeError, ValueError, OSError) as error:
        return f"it cannot be closed: {error}"


def _closed(sandlock: Any, order: dict[str, Any], tries: int = TRIES) -> Any:
    """A process in a sandbox; asked for again where there is no room for one for a moment."""
    try:
        return _sandbox(sandlock, order).popen(
            [order["tree"]["python"], "-I", "-S", "-c", order["inside"]],
            stdin=sandlock.StdioMode.PIPED,
            stdout=sandlock.StdioMode.PIPED,
            stderr=sandlock.StdioMode.PIPED,
        )
    except (sandlock.SandlockError, RuntimeError, OSError):
        if tries == 1:
            raise
    time.sleep(PAUSE_S)
    return _closed(sandlock, order, tries - 1)


def _in_engine(order: dict[str, Any]) -> Any:
    """A process with an engine, which holds the code in it; or why there is none."""
    hears, told = os.pipe()
    given = {name: order[name] for name in ("bounds", "module", "inside")}
    engine = json.dumps({"do": "run", "told": told, **given})
    try:
        _bind(order["bounds"])
        process = subprocess.Popen(
            [sys.executable, "-I", order["engine"], engine], env={}, pass_fds=[told],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    except OSError as error:
        return f"it cannot be started: {error}"
    os.close(told)
    with os.fdopen(hears, "rb") as hearing:
        word = hearing.read()  # to its end, which comes before any of the code
    if word == BEGUN:
        return _Engine(process)
    process.communicate()
    return word.decode(errors="replace") or "the engine did not begin"


_WAYS = {"landlock": _landlocked, "wasm": _in_engine}


class _Ended(NamedTuple):
    """How a process ended; -1 is neither."""

    exit_code: int
    signal: int


class _Engine:
    """The process of an engine, as the watch knows processes."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.pid = process.pid
        self.stdin, self.stdout, self.stderr = process.stdin, process.stdout, process.stderr

    def kill(self) -> None:
        """End it."""
        self._process.kill()

    def wait(self) -> _Ended:
        """Its end."""
        status = self._process.wait()
        return _Ended(status, -1) if status >= 0 else _Ended(-1, -status)


def _bind(bounds: dict[str, Any]) -> None:
    """Bind this process and so the sandbox: time on the processor, rank, no dumps."""
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CPU, (bounds["cpu_s"], bounds["cpu_s"] + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _sandbox(sandlock: Any, order: dict[str, Any]) -> Any:
    bounds, tree = order["bounds"], order["tree"]
    return sandlock.Sandbox(
        chroot=tree["root"], cwd="/", fs_mount_ro={it: it for it in tree["seen"]},
        fs_readable=[*tree["own"], *tree["seen"]], fs_writable=[], clean_env=True,
        env={"PATH": "/", "HOME": "/"}, max_memory=bounds["memory_bytes"], max_processes=1,
        max_open_files=bounds["files_open"], no_coredump=True, extra_deny_syscalls=REFUSED,
        name=f"code-{os.urandom(16).hex()}",  # of a user, two of one name cannot be at once
    )  # fmt: skip


class _Watch:
    """Watches one process: feeds it, takes what it says up to a bound, ends it where it must end."""

    def __init__(self, process: Any, bounds: dict[str, Any]) -> None:
        self._process = process
        self._bounds = bounds
        self._over: str | None = None  # the bound that it went over

    def watched(self, order: bytes) -> tuple[dict[str, Any], bytes]:
        """Run it to its end, and tell how it ended."""
        signal.signal(signal.SIGTERM, lambda *_: self._end("stopped"))
        kept: dict[str, bytes] = {}
        threads = [
            threading.Thread(target=self._feed, args=(order,), daemon=True),
            threading.Thread(target=self._take, args=(self._process.stdout, "output", kept), daemon=True),
            threading.Thread(target=self._take, args=(self._process.stderr, "printed", kept), daemon=True),
        ]  # fmt: skip
        clock = threading.Timer(self._bounds["time_s"], self._end, ("time",))
        clock.daemon = True
        over = threading.Event()
        stands_back = threading.Thread(target=self._stand_back, args=(over,), daemon=True)
        for thread in (*threads, clock, stands_back):
            thread.start()
        for thread in threads[1:]:
            thread.join()
        result = self._process.wait()
        over.set()
        clock.cancel()
        printed = kept.get("printed", b"").decode(errors="replace")
        ended = self._over or _ended(result)
        report = {
            "ended": ended, "code": result.exit_code, "printed": printed, "rss_mb": _rss_mb(),
        }  # fmt: skip
        return report, kept.get("output", b"")

    def _feed(self, order: bytes) -> None:
        try:
            with self._process.stdin as stdin:
                stdin.write(order)
        except OSError:
            pass  # it is gone already; how it ended is what is told

    def _take(self, stream: IO[bytes], name: str, kept: dict[str, bytes]) -> None:
        """Read a stream to its end; past the bound the process is ended, and the rest is nobody's."""
        taken, most = bytearray(), self._bounds["output_bytes"]
        while piece := os.read(stream.fileno(), PIECE):
            if len(taken) + len(piece) > most:
                self._end("output")
                taken += piece[: most - len(taken)]
                break
            taken += piece
        kept[name] = bytes(taken)

    def _stand_back(self, over: threading.Event) -> None:
        """Have long code take the time that nobody else asks for, on half of the processors.

        The others are left to fall idle: the kernel moves to a processor that does, at once, what
        waits behind another; to one that is taken, however humbly, it moves it at the next tick.
        """
        if sys.platform == "linux":
            had = (
                ~self._process.pid << 3
            ) | 2  # the process's clock, as clock_getcpuclockid(3) has it
            with contextlib.suppress(OSError):  # it has ended already
                while (left := START_S - time.clock_gettime(had)) > 0:
                    if over.wait(max(left, LOOK_S)):
                        return
                allowed = sorted(os.sched_getaffinity(0))
                os.sched_setaffinity(self._process.pid, allowed[len(allowed) // 2 :])
                os.sched_setscheduler(self._process.pid, os.SCHED_IDLE, os.sched_param(0))

    def _end(self, why: str) -> None:
        self._over = self._over or why
        self._process.kill()


def _ended(result: Any) -> str:
    """How a process ended that nobody here ended: by itself, or by a bound that is kept for us."""
    if result.exit_code >= 0 and result.signal < 0:
        return "exited"
    if result.signal < 0:
        return "memory"  # the library ends who asks for more, and says no signal
    return "cpu" if result.signal in (signal.SIGXCPU, signal.SIGKILL) else "signal"


def _rss_mb() -> float:
    """The most memory that the process had, for code that cannot see its own."""
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round(most / (1024 * 1024 if sys.platform == "darwin" else 1024), 3)


if __name__ == "__main__":
    main()
