"""Sandboxes for tests: small bounds, and nothing left behind."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent, indent

import anyio

from perdure.features.code.bounds import MIB, CodeBounds
from perdure.features.code.sandbox.sandbox import Answer, Code, Refusal, Sandbox
from perdure.features.code.sandbox.ways import Landlock, Wasm, Way
from perdure.kernel.values import Json

ROOT = Path(__file__).parents[2]
BOUNDS = CodeBounds(cpu_s=2, time_s=20.0, memory_bytes=128 * MIB, output_bytes=64 * 1024)
PATIENCE_S = 30.0  # of a test for what is sure to come
WAYS = ("landlock", "wasm")
WASM = Wasm(ROOT / ".cache/code")  # of the checkout: to make it takes ten seconds


def a_way(name: str) -> Way:
    """The way of this name."""
    return Landlock() if name == "landlock" else WASM


@contextmanager
def a_sandbox(bounds: CodeBounds = BOUNDS, ways: Sequence[Way] | None = None) -> Generator[Sandbox]:
    """A sandbox whose folders are taken away at the end."""
    sandbox = Sandbox(bounds, ways or (Landlock(), WASM))
    try:
        yield sandbox
    finally:
        sandbox.close()


def function_of(body: str) -> str:
    """The source of `transform(given)` with this body."""
    return "def transform(given):\n" + indent(dedent(body).strip(), "    ") + "\n"


def run(
    body: str, given: Json = None, bounds: CodeBounds = BOUNDS, way: str = "landlock"
) -> Answer | Refusal:
    """What comes of a body in a sandbox of its own."""
    with a_sandbox(bounds, [a_way(way)]) as sandbox:
        return anyio.run(sandbox.run, Code(function_of(body), "transform", given))
