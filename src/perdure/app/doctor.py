"""What may be wrong on a machine that runs the gateway. Each check looks, changes nothing, and says what mends it."""

import os
import resource
import shutil
import socket
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perdure.app import hardening
from perdure.app.failures import program
from perdure.app.findings import Check, Finding, Level
from perdure.app.lost_keys import lost_keys
from perdure.app.settings import Settings, models_folder, unknown_names, variables
from perdure.app.token_files import token_path
from perdure.clock import SystemClock, time_of
from perdure.errors import Forbidden, GatewayError, Invalid, Unauthenticated, Unreachable

if TYPE_CHECKING:
    import psycopg

MIB: Final = 1024 * 1024
FREE_WRONG: Final = 100 * MIB
FREE_WARNING: Final = 1024 * MIB
FILES_MIN: Final = 4096  # open at once: a stream is one, and there may be thousands
SKEW_MAX: Final = timedelta(seconds=30)
WAL_SAFE_SINCE: Final = (3, 51, 3)  # before it, two writers at once can spoil a WAL
CONNECT_S: Final = 5


def findings(settings: Settings) -> list[Finding]:
    """What every check found, in the order in which the gateway would stumble over it."""
    return [found for check in CHECKS for found in check(settings)]


def names_known(settings: Settings) -> Iterator[Finding]:
    """Settings that nobody reads are mistyped, or from another program."""
    for name in unknown_names():
        mend = f"unset {name}, or see `{program()} settings` for the name that is meant"
        yield Finding(Level.WARNING, "settings", f"{name} is set and means nothing here", mend)
    yield Finding(Level.OK, "settings", "read")


def data_folder(settings: Settings) -> Iterator[Finding]:
    """The data directory can be written, and by nobody else."""
    folder, name = settings.data_dir, "data directory"
    if not folder.exists():
        yield from _not_there_yet(folder)
        return
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"looked at")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        yield Finding(Level.WRONG, name, f"{folder} cannot be written: {error.strerror}", f"chown -R {os.getuid()} {folder}")  # fmt: skip
        return
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield Finding(Level.WARNING, name, f"{folder} is open to other accounts", f"chmod 700 {folder}")  # fmt: skip
    else:
        yield Finding(Level.OK, name, f"{folder} can be written, and by this account alone")


def _not_there_yet(folder: Path) -> Iterator[Finding]:
    parent = next(it for it in folder.parents if it.exists())
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        yield Finding(Level.OK, "data directory", f"{folder} is made at the first start")
    else:
        detail = f"{folder} is not there, and {parent} cannot be written"
        yield Finding(Level.WRONG, "data directory", detail, f"mkdir -p {folder} as its owner, or set PERDURE_DATA_DIR")  # fmt: skip


def disk_space(settings: Settings) -> Iterator[Finding]:
    """There is room for what runs write."""
    folder = settings.data_dir
    place = folder if folder.exists() else next(it for it in folder.parents if it.exists())
    free = shutil.disk_usage(place).free
    said = f"{free // MIB:,} MiB free at {place}"
    mend = "free some space, or set PERDURE_DATA_DIR to a larger disk"
    if free < FREE_WARNING:
        level = Level.WRONG if free < FREE_WRONG else Level.WARNING
        yield Finding(level, "disk space", said, mend)
    else:
        yield Finding(Level.OK, "disk space", said)


def token_file(settings: Settings) -> Iterator[Finding]:
    """The token is there for the gateway and for nobody else."""
    path = token_path(settings)
    if settings.auth_token is not None:
        yield Finding(Level.OK, "token", "comes from the settings")
    elif not path.exists():
        yield Finding(Level.OK, "token", f"{path} is made at the first start")
    elif stat.S_IMODE(path.stat().st_mode) & 0o077 and settings.auth_token_file is None:
        yield Finding(Level.WRONG, "token", f"other accounts can read {path}", f"chmod 600 {path}")
    elif not os.access(path, os.R_OK):
        yield Finding(Level.WRONG, "token", f"{path} cannot be read", f"chown {os.getuid()} {path}")
    elif not path.read_text().strip():
        yield Finding(Level.WRONG, "token", f"{path} is empty", f"rm {path}, and the next start makes one")  # fmt: skip
    else:
        yield Finding(Level.OK, "token", f"in {path}")


def open_files(settings: Settings) -> Iterator[Finding]:
    """Enough files may be open for the streams that the settings allow."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_streams + settings.max_concurrency + 256
    if allowed < min(needed, FILES_MIN):
        detail = f"{allowed} may be open, and {needed} may be needed"
        yield Finding(Level.WARNING, "open files", detail, f"ulimit -n {FILES_MIN}, or a lower PERDURE_MAX_STREAMS")  # fmt: skip
    else:
        yield Finding(Level.OK, "open files", f"{allowed} may be open")


def database(settings: Settings) -> Iterator[Finding]:
    """The database is there, and of a version that keeps its word."""
    yield from _postgres(settings) if settings.database_url else _sqlite()


def _sqlite() -> Iterator[Finding]:
    text = sqlite3.sqlite_version
    if tuple(int(part) for part in text.split(".")) < WAL_SAFE_SINCE:
        detail = (
            f"{text} can spoil a log that two connections write at once; the gateway writes with one, "
            "so let no other program write its files"
        )
        yield Finding(Level.WARNING, "SQLite", detail, "a Python whose SQLite is 3.51.3 or newer")
    else:
        yield Finding(Level.OK, "SQLite", text)


def _postgres(settings: Settings) -> Iterator[Finding]:
    import psycopg

    assert settings.database_url is not None
    url = settings.database_url.get_secret_value().replace("postgresql+psycopg://", "postgresql://")
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_S) as connection:
            yield from _served_by(connection)
    except psycopg.Error as error:
        detail = f"not reachable: {str(error).splitlines()[0]}"
        yield Finding(Level.WRONG, "Postgres", detail, "start it, or correct PERDURE_DATABASE_URL")


def _served_by(connection: "psycopg.Connection[Any]") -> Iterator[Finding]:
    """What a Postgres that answers is, whether it keeps what it acknowledges, and what time it has there."""
    yield Finding(Level.OK, "Postgres", f"version {connection.info.server_version // 10_000} answers")  # fmt: skip
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        row = connection.execute(f"SHOW {name}").fetchone()
        if row is not None and row[0] == "off":
            mend = f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();"
            yield Finding(Level.WRONG, "durability", f"{name} is off: a crash can lose what was acknowledged", mend)  # fmt: skip
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    skew = abs(row[0] - SystemClock().now()) if row is not None else timedelta()
    if skew > SKEW_MAX:
        detail = f"Postgres has another time, by {skew.total_seconds():.0f} s"
        yield Finding(Level.WRONG, "clock", detail, "set both clocks: timedatectl set-ntp true")


def model_file(settings: Settings) -> Iterator[Finding]:
    """Where a flow names no model, one answers all the same."""
    from perdure.features.models.embedded.install import SMOLLM2, model_path
    from perdure.features.models.settings import OUTPUT_TEXT, read_config

    try:
        config = read_config(variables())
    except Invalid as error:
        yield Finding(Level.WRONG, "models", error.detail, "correct the setting")
        return
    if route := config.routes.get(OUTPUT_TEXT):
        yield Finding(Level.OK, "models", f"{route} answers where a flow names none")
    path, mend = model_path(models_folder(settings)), f"{program()} models install"
    if not settings.embedded_model:
        yield Finding(Level.OK, "built-in model", "switched off")
    elif not path.is_file():
        level = Level.OK if route else Level.WARNING
        yield Finding(level, "built-in model", f"{path} is not there", "" if route else mend)
    elif _sha256(path) != SMOLLM2.sha256:
        yield Finding(Level.WRONG, "built-in model", f"{path} is damaged", mend)
    elif find_spec("xllamacpp") is None:
        yield Finding(Level.WARNING, "built-in model", "what runs it is not installed", "pip install 'perdure[local]'")  # fmt: skip
    else:
        yield Finding(Level.OK, "built-in model", f"{path} is sound")


def code_sandbox(settings: Settings) -> Iterator[Finding]:
    """Code of flows can be run here, which it is in a sandbox alone: a piece of it is run."""
    import anyio

    from perdure.app.features import code_sandbox_of
    from perdure.features.code.sandbox.sandbox import Answer, Code

    sandbox = code_sandbox_of(settings, settings.data_dir)
    try:
        ran = anyio.run(sandbox.run, Code("1 + 1", None, None))
    finally:
        sandbox.close()
    if isinstance(ran, Answer) and ran.output == 2:
        yield Finding(Level.OK, "code", f"runs in a sandbox ({sandbox.way})")
    else:
        why = "it does not answer" if isinstance(ran, Answer) else ran.detail
        yield Finding(Level.WARNING, "code", why, "pip install 'perdure[sandbox]'")


def pdf_pages(settings: Settings) -> Iterator[Finding]:
    """PDFs can be written here, with the fonts as set: one is."""
    import anyio

    from perdure.app.features import pdfs_of
    from perdure.features.files.pdf.pdfs import Refusal

    written = anyio.run(pdfs_of(settings).write, "A page", "")
    if isinstance(written, Refusal):
        mend = "correct PERDURE_PDF_FONTS" if find_spec("fpdf") else "pip install 'perdure[pdf]'"
        yield Finding(Level.WARNING, "PDF", written.detail, mend)
    else:
        yield Finding(Level.OK, "PDF", "is read and written")


def _sha256(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while piece := file.read(MIB):
            digest.update(piece)
    return digest.hexdigest()


def clock(settings: Settings) -> Iterator[Finding]:
    """The clock did not go back: what is written here is not from the future."""
    now = SystemClock().now().timestamp()
    ahead = [
        it
        for it in (settings.data_dir, token_path(settings))
        if it.exists() and it.stat().st_mtime > now + SKEW_MAX.total_seconds()
    ]
    if ahead:
        yield Finding(Level.WRONG, "clock", f"{ahead[0]} was written later than now", "set the clock: timedatectl set-ntp true")  # fmt: skip
    else:
        yield Finding(Level.OK, "clock", "nothing here is from the future")


def gateway(settings: Settings) -> Iterator[Finding]:
    """A gateway answers, or its port is free for one."""
    import anyio

    from perdure.app.client import Gateway, address_of

    url, token = address_of(settings)

    async def ask() -> str:
        async with Gateway(url, token) as it:
            return str((await it.get("/ping"))["time"])

    try:
        yield from _clock_of_gateway(url, anyio.run(ask))
    except Unreachable as error:
        yield from _nobody_there(settings, url, error)
    except (Unauthenticated, Forbidden):
        yield Finding(Level.WRONG, "gateway", f"the one at {url} refuses the token", "give it with --token or PERDURE_TOKEN")  # fmt: skip
    except (GatewayError, ValueError, KeyError) as error:
        detail = f"what answers at {url} is no gateway of ours ({error})"
        yield Finding(Level.WRONG, "gateway", detail, f"another port: PERDURE_PORT={settings.port + 1}")  # fmt: skip


def _clock_of_gateway(url: str, text: str) -> Iterator[Finding]:
    skew = abs(time_of(text) - SystemClock().now())
    if skew > SKEW_MAX:
        detail = f"the one at {url} has another time, by {skew.total_seconds():.0f} s"
        yield Finding(Level.WRONG, "gateway", detail, "set both clocks: timedatectl set-ntp true")
    else:
        yield Finding(Level.OK, "gateway", f"answers at {url}")


def _nobody_there(settings: Settings, url: str, error: Unreachable) -> Iterator[Finding]:
    if settings.url is not None:
        yield Finding(Level.WRONG, "gateway", error.detail, "start it, or correct PERDURE_URL")
    elif _is_free(settings.host, settings.port):
        yield Finding(Level.OK, "gateway", f"none runs here; the port {settings.port} is free")
    else:
        detail = f"none answers, and another program has the port {settings.port}"
        yield Finding(Level.WRONG, "gateway", detail, f"another port: PERDURE_PORT={settings.port + 1}")  # fmt: skip


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


CHECKS: Final[tuple[Check, ...]] = (
    names_known,
    data_folder,
    disk_space,
    token_file,
    open_files,
    database,
    model_file,
    code_sandbox,
    pdf_pages,
    clock,
    *hardening.CHECKS,
    lost_keys,
    gateway,
)
