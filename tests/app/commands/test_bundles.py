"""Bundles are listed, shown, installed and marked; a folder packs to the same bytes everywhere."""

import json
from hashlib import sha256
from pathlib import Path

from perdure.bundles.codec import read_bundle
from tests.app.conftest import Perdure
from tests.house.tree import ROOT
from tests.support.scripted_gateway import ScriptedGateway

ASK_FIRST = ROOT / "bundles" / "ask-first"
ENTRY = {
    "flow_id": "f", "name": "f", "description": "Does it.", "interfaces": [], "workflow_id": "b@1.0.0:f",
    "deprecated": False, "deprecated_at": None, "deprecated_reason": None,
}  # fmt: skip
ITEM = {"bundle_id": "b", "bundle_ref": "b@1.0.0", "created_at": "2026-11-21", "entrypoints": [ENTRY]}  # fmt: skip


def test_what_can_be_run_is_listed(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gone = ITEM | {"entrypoints": [ENTRY | {"deprecated": True}]}
    gateway.on("GET", "/bundles", (200, {"items": [ITEM, gone], "default_bundle_id": "b"}))
    lines = perdure("bundles", "list", "--versions", "--deprecated").out.splitlines()
    assert lines[1].split() == ["b@1.0.0", "f", "Does", "it."]
    assert lines[2].split()[2] == "deprecated"
    asked = gateway.asked("GET", "/bundles")[0].path
    assert "all_versions=true&include_deprecated=true" in asked
    assert json.loads(perdure("bundles", "list", "--json").out)[0] == ITEM


def test_a_bundle_shows_what_its_flows_take(perdure: Perdure, gateway: ScriptedGateway) -> None:
    inputs = [{"id": "prompt", "label": "prompt", "type": "string"}, {"id": "n", "label": "n", "type": "number", "default": 3}]  # fmt: skip
    entry = ENTRY | {"inputs": inputs, "deprecated": True, "deprecated_reason": "old"}
    gateway.on("GET", "/bundles/b", (200, ITEM | {"entrypoints": [entry]}))
    out = perdure("bundles", "show", "b@1.0.0").out
    assert "prompt (string)" in out
    assert "n (number, 3 if not given)" in out
    assert "deprecated: old" in out
    assert "bundle_version=1.0.0" in gateway.asked("GET", "/bundles/b")[0].path


def test_a_folder_is_packed_and_can_be_read(perdure: Perdure, tmp_path: Path) -> None:
    ran = perdure("bundles", "pack", str(ASK_FIRST), "--out", str(tmp_path), "--json")
    told = json.loads(ran.out)
    content = (tmp_path / "ask-first@1.0.0.flow").read_bytes()
    assert read_bundle(content).ref == "ask-first@1.0.0"
    assert told["sha256"] == sha256(content).hexdigest()
    again = tmp_path / "again.flow"
    assert perdure("bundles", "pack", str(ASK_FIRST), "-o", str(again)).code == 0
    assert again.read_bytes() == content


def test_a_folder_that_is_no_bundle_is_refused(perdure: Perdure, tmp_path: Path) -> None:
    ran = perdure("bundles", "pack", str(tmp_path))
    assert ran.code == 2
    assert "it has no manifest.json" in ran.err
    (tmp_path / "manifest.json").write_text("{}")
    assert perdure("bundles", "pack", str(tmp_path)).code == 2


def test_a_place_that_cannot_be_written_is_told(perdure: Perdure, tmp_path: Path) -> None:
    ran = perdure("bundles", "pack", str(ASK_FIRST), "-o", str(tmp_path / "none" / "x.flow"))
    assert ran.code == 2
    assert "cannot be written: No such file" in ran.err


def test_a_bundle_is_installed_from_a_file_or_a_folder(
    perdure: Perdure, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    answer = {"ok": True, "bundle_ref": "ask-first@1.0.0", "sha256": "ab"}
    gateway.on("POST", "/bundles/upload", (200, answer))
    perdure("bundles", "pack", str(ASK_FIRST), "-o", str(tmp_path))
    file = tmp_path / "ask-first@1.0.0.flow"
    assert perdure("bundles", "upload", str(file)).out == "Installed ask-first@1.0.0 (sha256 ab).\n"
    perdure("bundles", "upload", str(ASK_FIRST), "--overwrite")
    first, second = gateway.asked("POST", "/bundles/upload")
    assert file.read_bytes() in first.body
    assert file.read_bytes() in second.body
    assert b"\r\n\r\ntrue" in second.body


def test_a_file_that_is_not_there_is_told(perdure: Perdure, gateway: ScriptedGateway) -> None:
    ran = perdure("bundles", "upload", "/nowhere/x.flow")
    assert ran.code == 2
    assert "/nowhere/x.flow cannot be read" in ran.err


def test_a_bundle_is_removed_by_version_or_whole(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    gateway.on("DELETE", "/bundles/b", (200, {"ok": True, "bundle_ref": "b@1.0.0", "removed": 1}))
    assert perdure("bundles", "remove", "b@1.0.0").out == "Removed 1 of b@1.0.0.\n"
    perdure("bundles", "remove", "b")
    queries = [it.path.partition("?")[2] for it in gateway.asked("DELETE", "/bundles/b")]
    assert queries == ["bundle_version=1.0.0", ""]


def test_a_bundle_is_marked_and_unmarked(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("POST", "/bundles/b/deprecate", (200, {"ok": True}))
    gateway.on("POST", "/bundles/b/undeprecate", (200, {"ok": True, "removed": True}))
    assert "no new runs" in perdure("bundles", "deprecate", "b", "--reason", "old").out
    assert "started again" in perdure("bundles", "undeprecate", "b", "--flow", "f").out
    assert gateway.bodies("/bundles/b/deprecate") == [{"reason": "old"}]
    assert gateway.bodies("/bundles/b/undeprecate") == [{"flow_id": "f"}]
