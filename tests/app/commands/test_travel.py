"""The past of runs from the command line."""

import json
from pathlib import Path
from typing import Any

from tests.app.conftest import Perdure
from tests.support.scripted_gateway import ScriptedGateway

IDENTICAL = {"run_id": "r1", "records": 4, "result": "identical", "difference": None}
FOUND = {"seq": 3, "part": "effect.payload", "recorded": 1, "decided": 2}


def test_runs_without_a_word_are_listed(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("GET", "/runs", (200, {"items": [], "next_cursor": None}))
    assert "There are no runs." in perdure("runs").out


def test_a_fork_says_where_it_goes_on_from(perdure: Perdure, gateway: ScriptedGateway) -> None:
    forked = {"run_id": "f1", "forked_from": {"run_id": "r1", "seq": 2}}
    gateway.on("POST", "/runs/r1/fork", (200, forked))
    ran = perdure(
        "runs", "fork", "r1", "--at", "2", "--set", 'in/prompt="Hi"', "--effects", "reuse"
    )
    assert ran.code == 0
    assert "f1 goes on from record 2" in ran.out
    assert perdure("runs", "fork", "r1", "--set", "in/prompt").code != 0
    assert perdure("runs", "fork", "r1", "--set", "in/prompt=Hi").code != 0


def test_a_replay_says_what_differs_and_ends_with_an_error(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    divergent = {**IDENTICAL, "result": "divergent", "difference": FOUND}
    gateway.on("POST", "/runs/r1/replay", (200, IDENTICAL), (200, divergent))
    assert "identical, 4 records" in perdure("runs", "replay", "r1").out
    ran = perdure("runs", "replay", "r1")
    assert ran.code != 0
    assert "record 3 differs in effect.payload" in ran.out


def test_a_difference_shows_each_cell(perdure: Perdure, gateway: ScriptedGateway) -> None:
    cells: list[dict[str, Any]] = [
        {"cell": "a", "change": "added", "before": None, "after": 1},
        {"cell": "b", "change": "changed", "before": 1, "after": 2},
    ]
    told = {"run_id": "r1", "from": 0, "to": 4, "cells": cells, "left_out": 3}
    gateway.on("GET", "/runs/r1/diff", (200, told))
    ran = perdure("runs", "diff", "r1", "0")
    assert ran.out.splitlines() == ["+ a: 1", "~ b: 1 -> 2", "and 3 more"]
    assert json.loads(perdure("runs", "diff", "r1", "0", "4", "--json").out) == told


def test_an_export_is_never_written_over_a_file(
    perdure: Perdure, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    gateway.on("GET", "/runs/r1/export", (200, {"any": "bytes"}))
    file = tmp_path / "r1.zip"
    assert perdure("runs", "export", "r1", str(file)).code == 0
    kept = file.read_bytes()
    assert json.loads(kept) == {"any": "bytes"}
    assert perdure("runs", "export", "r1", str(file)).code != 0
    assert file.read_bytes() == kept


def test_an_import_tells_what_came_of_each_run(
    perdure: Perdure, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    gateway.on("POST", "/runs/import", (200, {"runs": [{**IDENTICAL, "new": True}]}))
    file = tmp_path / "r1.zip"
    file.write_bytes(b"PK")
    assert "r1: identical, 4 records" in perdure("runs", "import", str(file)).out
