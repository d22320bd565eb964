"""What a sandbox has for a file system: Python's own library, and of the host nothing else."""

import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

LOADERS: Final = ("lib64/ld-linux*.so*", "lib/ld-linux*.so*", "lib/ld-musl*.so*")
ZONES: Final = "/usr/share/zoneinfo"


class Tree(NamedTuple):
    """A folder that stands for `/`, the interpreter in it, and what is seen at the same place as outside."""

    root: str
    python: str
    own: tuple[str, ...]  # folders of the tree itself that can be read
    seen: tuple[str, ...]


def plant() -> Tree:
    """Make a new tree: copies of the interpreter and of what loads it, and places for what is seen."""
    root = Path(tempfile.mkdtemp(prefix="perdure-code-"))
    python = os.path.realpath(sys.executable)
    seen = tuple(dict.fromkeys(it for it in _seen() if Path(it).is_dir()))
    for place in seen:
        (root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
    loaders = tuple(_loaders())
    for file in (python, *loaders):
        copy = root / file.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    own = dict.fromkeys(str(Path(file).parent) for file in (python, *loaders))
    return Tree(str(root), python, tuple(own), seen)


def fell(tree: Tree) -> None:
    """Take a tree away. It holds nothing that is not elsewhere."""
    shutil.rmtree(tree.root, ignore_errors=True)


def _loaders() -> Iterator[str]:
    for pattern in LOADERS:
        yield from map(str, Path("/").glob(pattern))


def _seen() -> Iterator[str]:
    """The standard library, the libraries that it is linked to, and the time zones."""
    yield sysconfig.get_path("stdlib")
    yield f"{sys.base_exec_prefix}/{sys.platlibdir}/python{sys.version_info[0]}.{sys.version_info[1]}"
    machine = sysconfig.get_config_var("MULTIARCH") or ""
    linked = [f"/lib/{machine}", f"/usr/lib/{machine}"] if machine else []
    yield from [it for it in linked if Path(it).is_dir()] or ["/lib", "/usr/lib", "/lib64"]
    libdir = Path(sysconfig.get_config_var("LIBDIR") or "/nowhere")
    if any(libdir.glob("libpython*.so*")):
        yield str(libdir)
    yield ZONES
