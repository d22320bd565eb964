"""The audit is printed, exported, and checked on a machine that knows nothing but a public key."""

import json
from pathlib import Path

import pytest

from perdure.adapters.notary import Ed25519Notary
from tests.app.conftest import Perdure
from tests.support.chains import NOTARY, an_entry, an_export
from tests.support.scripted_gateway import ScriptedGateway


@pytest.fixture
def key(tmp_path: Path) -> str:
    """The public key of the notary of a test, in a file."""
    path = tmp_path / "audit.pem"
    path.write_text(NOTARY.public_pem)
    return str(path)


def an_export_in(folder: Path, lines: list[bytes]) -> str:
    """An export, in a file."""
    path = folder / "export.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return str(path)


def test_an_export_that_nobody_touched_is_as_written(
    perdure: Perdure, tmp_path: Path, key: str
) -> None:
    file = an_export_in(tmp_path, an_export([an_entry(n) for n in range(9)], every=3))
    ran = perdure("audit", "verify", file, "--key", key)
    assert (ran.code, ran.out.split(": ")[0]) == (0, "The chain of acme is as written")
    told = json.loads(perdure("audit", "verify", file, "--key", key, "--json").out)
    assert (told["ok"], told["records"], told["bad_seq"]) == (True, 9, None)


def test_the_first_entry_that_was_changed_is_named_and_ends_it_with_1(
    perdure: Perdure, tmp_path: Path, key: str
) -> None:
    lines = an_export([an_entry(n) for n in range(9)])
    file = an_export_in(tmp_path, [line.replace(b"run-4", b"run-x") for line in lines])
    ran = perdure("audit", "verify", file, "--key", key)
    assert ran.code == 1
    assert ran.out.startswith("From entry 5 on the chain is not as written")


def test_an_older_key_may_be_named_beside_the_newer(
    perdure: Perdure, tmp_path: Path, key: str
) -> None:
    other = tmp_path / "other.pem"
    other.write_text(Ed25519Notary(bytes(32)).public_pem)
    file = an_export_in(tmp_path, an_export([an_entry()]))
    assert perdure("audit", "verify", file, "--key", str(other)).code == 1
    assert perdure("audit", "verify", file, "--key", str(other), "--key", key).code == 0


@pytest.mark.parametrize("missing", ["export", "key"])
def test_a_file_that_is_not_there_is_told(
    perdure: Perdure, tmp_path: Path, key: str, missing: str
) -> None:
    nowhere = str(tmp_path / "nowhere")
    file = an_export_in(tmp_path, an_export([]))
    words = (nowhere, "--key", key) if missing == "export" else (file, "--key", nowhere)
    ran = perdure("audit", "verify", *words)
    assert ran.code != 0
    assert f"{nowhere} cannot be read" in ran.err


def test_an_export_goes_to_a_file_as_it_came(
    perdure: Perdure, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    gateway.on("GET", "/audit/export", (200, {"export": "of a test"}))
    out = tmp_path / "out.jsonl"
    assert perdure("audit", "export", "-o", str(out), "--after", "7").code == 0
    assert json.loads(out.read_bytes()) == {"export": "of a test"}
    assert gateway.asked("GET", "/audit/export")[0].path.endswith("?after=7")


def test_the_tail_and_the_key_are_printed_as_they_are(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    gateway.on("GET", "/audit/tail", (200, {"ok": True, "content": '{"a":1}\n'}))
    gateway.on("GET", "/audit/checkpoints", (200, {"public_key": NOTARY.public_pem}))
    assert perdure("audit", "tail", "--bytes", "99", "--tenant", "acme").out == '{"a":1}\n'
    assert "max_bytes=99&tenant_id=acme" in gateway.asked("GET", "/audit/tail")[0].path
    assert perdure("audit", "key").out == NOTARY.public_pem
