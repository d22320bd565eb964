"""The gateway as a process to be killed.

`python -m tests.journeys.child --data-dir D --port N --counter URL` serves in this process. With
`--nursery PATH` nothing is served here: who connects to that socket sends lines, each such
options as a list in JSON, and for each line a process is forked that serves, so that each of
thousands starts in the time that the gateway itself needs, and not in that of its imports.
What happens to it is told over the same connection, a line of JSON each: `{"born": pid}`,
`{"ready": pid}`, `{"ended": pid, "status": n}`. It is killed when the connection is closed.

`--probe name:nth` kills the process that serves, without a word, at the nth pass of that probe. With
`--armed FILE` a pass counts only while that file is there, and more is passed than the program names:
see `tests.journeys.points`. `any:nth` is the nth of them all.
"""

import argparse
import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch
from urllib.parse import urlsplit

import httpcore2

from perdure.app import processes
from perdure.app.settings import Settings, read_settings
from perdure.app.shipped import shipped_bundles
from tests.journeys.feature import feature
from tests.journeys.points import watch
from tests.support.canaries import marked_urlsafe

TOKEN: Final = "agw_journeys"
PR_SET_PDEATHSIG: Final = 1


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nursery", type=Path)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--counter")
    parser.add_argument("--postgres")
    parser.add_argument("--probe")
    parser.add_argument("--armed", type=Path)
    parser.add_argument("--no-runner", action="store_true")
    parser.add_argument("--set", action="append", default=[], help="name=value of a setting")
    parser.add_argument("--env", action="append", default=[], help="NAME=value of the environment")
    return parser.parse_args(arguments)


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings of a gateway that is to be killed often: leases short, its log quiet."""
    more: dict[str, Any] = dict(one.split("=", 1) for one in options.set)
    given: dict[str, Any] = {
        "lease_s": 1.0, "poll_s": 0.5, "log_level": "warning", "embedded_model": False,
        "egress_loopback_ports": (urlsplit(options.counter).port,), **more,
    }  # fmt: skip
    return read_settings(
        data_dir=options.data_dir, port=options.port, database_url=options.postgres,
        auth_token=TOKEN, **given,
    )  # fmt: skip


def deadly(asked: str | None, armed: Path | None = None) -> Callable[[str], None]:
    """A probe that ends this process at the pass that was asked for."""
    wanted, _, nth = (asked or "").partition(":")
    passes = 0

    def probe(name: str) -> None:
        nonlocal passes
        if wanted in (name, "any") and (armed is None or armed.exists()):
            passes += 1
            if passes == int(nth):
                os.kill(os.getpid(), signal.SIGKILL)

    return probe


def serve(options: argparse.Namespace, on_ready: Callable[[str], None]) -> None:
    """Serve until the end, whatever that is."""
    os.environ.update(one.split("=", 1) for one in options.env)
    probe = deadly(options.probe, options.armed)
    if options.armed is not None:
        watch(probe)
    processes.serve(
        settings_of(options),
        with_runner=not options.no_runner,
        on_ready=on_ready,
        features=(feature(options.counter),),
        probe=probe,
    )


def rehearse() -> None:
    """Live once, from the start to the end, so that all that is to be imported is; then keep what each life would make anew.

    The certificates of the machine are read once, and the shipped bundles packed once, as they are
    in a wheel. Together they take longer than everything that a life has to do with its data.
    """
    with TemporaryDirectory() as folder:
        options = options_of(
            ["--data-dir", folder, "--port", "0", "--counter", "http://127.0.0.1:9"]
        )
        serve(options, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    certificates, packed = httpcore2.default_ssl_context(_trust_env=False), tuple(shipped_bundles())
    patch("httpcore2.default_ssl_context", lambda **_: certificates).start()
    patch("perdure.app.shipped.shipped_bundles", lambda: iter(packed)).start()
    gc.collect()
    gc.freeze()  # a child that looks through what it was born with would copy it


def die_with_parent() -> None:
    """Leave no process behind when the test ends without a word."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Nursery:
    """Forks a gateway for each line that it is sent, and tells of it to whoever sent the line."""

    def __init__(self, path: Path) -> None:
        self._selector = selectors.DefaultSelector()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._selector.register(self._listening, selectors.EVENT_READ, self._greet)
        self._children: dict[int, socket.socket] = {}
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake)
        self._selector.register(self._woken, selectors.EVENT_READ, self._bury)
        self._selector.register(0, selectors.EVENT_READ, lambda _: sys.exit(0))

    def nurse(self) -> None:
        """Go on until the process that started this one lets go of it."""
        while True:
            for ready, _ in self._selector.select():
                ready.data(ready.fileobj)

    def _greet(self, listening: socket.socket) -> None:
        parent, _ = listening.accept()
        self._selector.register(parent, selectors.EVENT_READ, self._hear)

    def _hear(self, parent: socket.socket) -> None:
        asked = parent.recv(65_536)
        for line in asked.splitlines():
            self._bear(parent, json.loads(line))
        if not asked:
            self._selector.unregister(parent)
            for pid in [pid for pid, of in self._children.items() if of is parent]:
                os.kill(pid, signal.SIGKILL)

    def _bear(self, parent: socket.socket, arguments: list[str]) -> None:
        pid = os.fork()
        if pid:
            self._children[pid] = parent
            tell(parent, born=pid)
            return
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        self._listening.close()
        die_with_parent()
        options = options_of(arguments)
        log = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 2)
        serve(options, lambda _: tell(parent, ready=os.getpid()))
        os._exit(0)

    def _bury(self, woken: int) -> None:
        os.read(woken, 1_000)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            tell(self._children.pop(pid), ended=pid, status=os.waitstatus_to_exitcode(status))


def tell(parent: socket.socket, **what: int) -> None:
    """Say what happened, if anybody still listens."""
    with suppress(OSError):
        parent.sendall(json.dumps(what).encode() + b"\n")


def main() -> None:
    """Serve, or nurse."""
    die_with_parent()
    patch("perdure.ids.token_urlsafe", marked_urlsafe).start()
    options = options_of(sys.argv[1:])
    if options.nursery is None:
        serve(options, lambda _: None)
        return
    rehearse()
    nursery = Nursery(options.nursery)
    sys.stdout.write("open\n")
    sys.stdout.flush()
    nursery.nurse()


if __name__ == "__main__":
    main()
