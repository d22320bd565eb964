"""The tree holds the interpreter and what it needs, and goes without a trace."""

import os
import sys
from pathlib import Path

from perdure.features.code.sandbox.tree import fell, plant


def test_it_holds_the_interpreter_and_nothing_that_is_somebodys() -> None:
    tree = plant()
    try:
        files = [it for it in Path(tree.root).rglob("*") if it.is_file()]
        python = Path(tree.root) / os.path.realpath(sys.executable).lstrip("/")
        assert python in files and os.access(python, os.X_OK)
        assert all(it == python or it.name.startswith("ld-") for it in files)
        assert tree.python == os.path.realpath(sys.executable)
        assert not any(place.startswith(("/etc", "/home", "/tmp", "/var")) for place in tree.seen)
        assert sys.prefix not in tree.seen and os.getcwd() not in tree.seen
    finally:
        fell(tree)
    assert not Path(tree.root).exists()


def test_every_place_that_is_seen_is_there() -> None:
    tree = plant()
    try:
        assert all(Path(place).is_dir() for place in tree.seen)
        assert all((Path(tree.root) / place.lstrip("/")).is_dir() for place in tree.seen)
    finally:
        fell(tree)
        fell(tree)  # once more changes nothing
