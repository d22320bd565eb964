"""The model's own process: serves one model file on a loopback port, and ends when its parent does.

It is run by its path, in Python's isolated mode, and imports nothing of the program: what it needs
comes as one line of JSON on its standard input, what it has to say goes as one line to its standard
output. The end of its input is the end of its parent, however that came about.
"""

import ctypes
import json
import os
import signal
import sys
import threading
from typing import Any

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Read the order, serve, and wait for the end of the input."""
    _die_with_parent()
    order = json.loads(sys.stdin.readline())
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what native code prints must not be read as the report
    threading.Thread(target=_wait_for_the_end, daemon=True).start()
    try:
        server, port = _serve(order)
    except (ImportError, RuntimeError, OSError, ValueError) as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=report, flush=True)
        os._exit(1)
    print(json.dumps({"port": port}), file=report, flush=True)
    threading.Event().wait()
    del server


def _serve(order: dict[str, Any]) -> tuple[Any, int]:
    import xllamacpp  # noqa: PLC0415 - a missing library is reported, not a crash

    params = xllamacpp.CommonParams()
    params.model.path = order["model"]
    params.model_alias = {order["alias"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [order["api_key"]]
    params.ui = False
    params.endpoint_slots = False
    params.cors_origins = ""
    params.n_threads_http = (
        order["slots"] + 64
    )  # one waits for each open question, and the health check needs one
    params.n_parallel = order["slots"]
    params.n_ctx = order["slots"] * order["context"]  # the library divides it among the slots
    params.verbosity = 1
    threads = max(
        1, min(4, (os.cpu_count() or 2) // 2)
    )  # threads that spin for each other stall on a busy machine
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(params)
    return server, int(server.listening_address.rpartition(":")[2])


def _die_with_parent() -> None:
    """Ask Linux for a kill when the parent ends, which holds even while native code blocks Python."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_for_the_end() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
