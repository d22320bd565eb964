"""The model's process speaks one line, listens on loopback only, and ends with its input."""

import json
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from perdure.features.models.embedded.server import CHILD
from tests.support.models import embedded_file


@contextmanager
def a_child(model: Path) -> Generator[tuple[subprocess.Popen[str], dict[str, object]]]:
    """The process, and the line that it said."""
    order = {"model": str(model), "alias": "toy", "api_key": "k", "slots": 1, "context": 256}
    with subprocess.Popen(
        [sys.executable, "-I", str(CHILD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, env={},
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        yield process, json.loads(process.stdout.readline())


def test_it_reports_its_port_and_ends_with_its_input() -> None:
    with a_child(embedded_file()) as (process, report):
        port = report["port"]
        assert isinstance(port, int)
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
        assert "0.0.0.0" not in listening(port)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def listening(port: int) -> list[str]:
    """The addresses on which a port is listened on, as Linux tells them."""
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, state = line.split()[1], line.split()[3]
        address, _, number = local.partition(":")
        if state == "0A" and int(number, 16) == port:
            found.append(socket.inet_ntoa(bytes.fromhex(address)[::-1]))
    return found


def test_it_reports_why_it_cannot_serve(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"no model")
    with a_child(tmp_path / "bad.gguf") as (process, report):
        assert "error" in report
        assert process.wait(10) == 1


def test_it_imports_nothing_of_the_program() -> None:
    assert "perdure" not in CHILD.read_text()
