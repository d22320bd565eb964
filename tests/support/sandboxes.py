"""Sandboxes for tests: small bounds, and nothing left behind."""

from collections.abc import Generator
from contextlib import contextmanager
from textwrap import dedent, indent

import anyio

from perdure.features.code.bounds import MIB, CodeBounds
from perdure.features.code.sandbox.sandbox import Answer, Code, Refusal, Sandbox
from perdure.kernel.values import Json

BOUNDS = CodeBounds(cpu_s=2, time_s=20.0, memory_bytes=128 * MIB, output_bytes=64 * 1024)
PATIENCE_S = 30.0  # of a test for what is sure to come


@contextmanager
def a_sandbox(bounds: CodeBounds = BOUNDS) -> Generator[Sandbox]:
    """A sandbox whose folders are taken away at the end."""
    sandbox = Sandbox(bounds)
    try:
        yield sandbox
    finally:
        sandbox.close()


def function_of(body: str) -> str:
    """The source of `transform(given)` with this body."""
    return "def transform(given):\n" + indent(dedent(body).strip(), "    ") + "\n"


def run(body: str, given: Json = None, bounds: CodeBounds = BOUNDS) -> Answer | Refusal:
    """What comes of a body in a sandbox of its own."""
    with a_sandbox(bounds) as sandbox:
        return anyio.run(sandbox.run, Code(function_of(body), "transform", given))
