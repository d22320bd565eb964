"""Artifacts are listed, sent and fetched from the command line; a fetched file is whole or not there."""

from pathlib import Path

from tests.app.conftest import Perdure
from tests.support.scripted_gateway import ScriptedGateway

ITEM = {
    "artifact_id": "a1", "run_id": "session_memory_S", "content_type": "text/plain", "size_bytes": 5,
    "filename": "a.txt",
}  # fmt: skip
CONTENT = "/runs/session_memory_S/artifacts/a1/content"


def test_artifacts_are_listed(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("GET", "/artifacts/search", (200, {"items": [ITEM]}))
    ran = perdure("artifacts", "list", "--run", "r1", "-q", "a b")
    assert ran.out.splitlines()[1].split() == ["a1", "session_memory_S", "text/plain", "5", "a.txt"]
    asked = gateway.asked("GET", "/artifacts/search")[0].path
    assert "run_id=r1" in asked
    assert "query=a+b" in asked or "query=a%20b" in asked


def test_a_file_is_sent(perdure: Perdure, gateway: ScriptedGateway, tmp_path: Path) -> None:
    told = {"artifact": {"artifact_id": "a1"}, "run_id": "session_memory_S"}
    gateway.on("POST", "/attachments/upload", (200, told))
    (tmp_path / "a.txt").write_text("hello")
    ran = perdure("artifacts", "upload", str(tmp_path / "a.txt"), "--session", "S")
    assert ran.out.strip() == "Sent a1 to session_memory_S."
    body = gateway.asked("POST", "/attachments/upload")[0].body
    assert b"hello" in body
    assert b'name="session_id"' in body
    assert perdure("artifacts", "upload", str(tmp_path / "gone"), "--session", "S").code == 2


def test_a_file_is_fetched_whole_or_not_at_all(
    perdure: Perdure, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    out = tmp_path / "out.txt"
    gateway.on("GET", CONTENT, (200, "hello"))
    assert perdure("artifacts", "get", "a1", "--of", "session_memory_S", "-o", str(out)).code == 0
    assert "hello" in out.read_text()
    gateway.on(
        "GET", CONTENT, (404, {"code": "artifact_not_found", "detail": "gone", "status": 404})
    )
    other = tmp_path / "other.txt"
    assert perdure("artifacts", "get", "a1", "--of", "session_memory_S", "-o", str(other)).code != 0
    assert list(tmp_path.iterdir()) == [out]
