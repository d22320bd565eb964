"""The fences of `tests/conftest.py` stand: no far sockets, no skips, no secret left behind."""

import base64
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from perdure.ids import new_secret
from tests.support.canaries import MARK, forms_of, left_in, spelled_in

ROOT = Path(__file__).parents[2]
SKIPS = """
import pytest

def test_that_skips():
    pytest.skip("not today")
"""
SKIPS_WHOLE = """
import pytest

pytest.skip("not this module", allow_module_level=True)
"""
LEAVES = """
from perdure.ids import new_secret

def test_that_leaves_a_secret(tmp_path):
    (tmp_path / "kept.db").write_bytes(b"..." + new_secret().encode().hex().encode())
"""
PRINTS = """
from perdure.ids import new_secret

def test_that_prints_a_secret():
    print("the token is", new_secret())
"""
KEEPS = """
import psycopg

from perdure.ids import new_secret
from tests.support.postgres import postgres_server

def test_that_keeps_a_secret():
    with psycopg.connect(postgres_server().conninfo()) as connection:
        connection.execute("CREATE TABLE kept (of_whom text, secret bytea)")
        connection.execute("INSERT INTO kept VALUES ('alice', %s)", [new_secret().encode()])
"""
FENCES = {
    "a skip": (SKIPS, "a skip counts as a failure"),
    "a module that is skipped": (SKIPS_WHOLE, "a skip counts as a failure"),
    "a secret in a file": (LEAVES, "a secret was left on disk"),
    "a secret that is printed": (PRINTS, "a secret was printed"),
    "a secret in a table": (KEEPS, "a secret was left in the database"),
}
SECRET = "sk-c4Nary/+?_" + "x" * 20


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.org"])
def test_a_test_cannot_reach_another_machine(host: str) -> None:
    with pytest.raises(RuntimeError, match="tests stay on loopback"):
        socket.create_connection((host, 80), timeout=0.1)


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a run of tests says of which each crosses a fence."""
    folder = tmp_path_factory.mktemp("crossing")
    for number, (text, _) in enumerate(FENCES.values()):
        (folder / f"test_{number}.py").write_text(text)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", "/dev/null", "--continue-on-collection-errors"],
        cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert ran.returncode != 0
    return ran.stdout


@pytest.mark.parametrize("crossed", FENCES)
def test_what_crosses_a_fence_fails(crossed: str, told: str) -> None:
    assert FENCES[crossed][1] in told


def test_every_secret_of_a_test_is_known_by_its_looks(tmp_path: Path) -> None:
    secret = new_secret()
    assert secret.startswith(MARK) and len(secret) == 43
    kept = tmp_path / "bootstrap-admin-token"
    kept.write_text(secret)
    assert left_in(tmp_path) == [], "the one file that has it on purpose"
    assert left_in(tmp_path, kept=()) != []


def spellings() -> dict[str, bytes]:
    """A secret in the middle of something, in every spelling that a search is to see through."""
    text = f"key={SECRET}&more"
    return {
        "plain": text.encode(), "hex": text.encode().hex().encode(),
        "HEX": text.encode().hex().upper().encode(), "wide": text.encode("utf-16-le"),
        "url": "".join(f"%{byte:02X}" for byte in text.encode()).encode(),
        "quoted": quote(text, safe="").encode(),
        **{f"base64 {n}": base64.b64encode(b"n" * n + text.encode()) for n in range(3)},
        **{f"base64url {n}": base64.urlsafe_b64encode(b"n" * n + text.encode()) for n in range(3)},
    }  # fmt: skip


@pytest.mark.parametrize("spelling", spellings())
def test_a_secret_is_found_in_every_spelling(spelling: str) -> None:
    secrets = {"the key": forms_of(SECRET), "another": forms_of("sk-another")}
    assert spelled_in(spellings()[spelling], secrets) == {"the key"}
