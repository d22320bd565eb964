"""`perdure openapi` writes down the document that the gateway gives."""

import json
from pathlib import Path

from tests.app.conftest import Perdure
from tests.support.scripted_gateway import ScriptedGateway

DOCUMENT = {"openapi": "3.1.0", "info": {"title": "é"}}


def test_the_document_is_printed_or_written(
    perdure: Perdure, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    gateway.on("GET", "//openapi.json", (200, DOCUMENT))
    printed = perdure("openapi").out
    file = tmp_path / "openapi.json"
    assert perdure("openapi", "--out", str(file)).out == ""
    assert json.loads(printed) == DOCUMENT
    assert file.read_text() == printed


def test_a_file_that_cannot_be_written_is_told(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("GET", "//openapi.json", (200, DOCUMENT))
    ran = perdure("openapi", "--out", "/nowhere/openapi.json")
    assert ran.code == 2
    assert "cannot be written" in ran.err
