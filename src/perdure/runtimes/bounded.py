"""What begins a process that handles what nobody trusts: it binds itself, then runs the script it is told to.

It is run by its path, in Python's isolated mode, and imports nothing of the program: its limits are
one JSON document on its command line, the script the path after it. It writes no file, leaves no
dump, goes behind the program's own work, and dies with its parent.
"""

import ctypes
import json
import os
import resource
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1
NICE = 19


def main() -> None:
    """Bind this process, and be the script."""
    limits, script = json.loads(sys.argv[1]), sys.argv[2]
    sys.dont_write_bytecode = True
    os.nice(NICE)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        _bind(resource.RLIMIT_AS, limits["memory_bytes"])  # elsewhere no system keeps it
    resource.setrlimit(
        resource.RLIMIT_CPU, (limits["cpu_s"], limits["cpu_s"] + 1)
    )  # a signal of its own, then death
    _bind(resource.RLIMIT_NOFILE, limits["files_open"])
    _bind(resource.RLIMIT_FSIZE, 0)
    _bind(resource.RLIMIT_CORE, 0)
    runpy.run_path(script, run_name="__main__")


def _bind(what: int, most: int) -> None:
    """Bind it for good: nothing that runs here can have more again."""
    resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()
