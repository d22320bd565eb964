"""`perdure run` starts a flow with what it is given, and ends as the run ends."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from perdure.app.commands.starting import body_of, inputs_of
from perdure.errors import Invalid
from tests.app.conftest import Perdure
from tests.support.scripted_gateway import (
    ScriptedGateway,
    delta,
    done,
    problem,
    question,
    record,
    step,
    summary,
    waits,
)


@pytest.fixture
def started(gateway: ScriptedGateway) -> ScriptedGateway:
    """A gateway that starts the run r1, which completes."""
    gateway.on("POST", "/runs/start", (200, {"run_id": "r1"})).run(summary("r1"))
    frames = [
        step(1, record(status="started")),
        delta(0, "Par"),
        delta(3, "is."),
        step(2, record()),
    ]
    return gateway.ledger("r1", [*frames, done(2)])


def test_the_answer_goes_out_and_what_happens_beside_it(
    perdure: Perdure, started: ScriptedGateway
) -> None:
    ran = perdure("run", "basic-llm", "Where?", "-i", "seed=7", "--session", "s1")
    assert ran.code == 0
    assert ran.out == "Paris.\n"
    assert "│ Paris." in ran.err
    assert started.bodies("/runs/start") == [
        {
            "bundle_id": "basic-llm",
            "input_data": {"seed": 7, "prompt": "Where?"},
            "session_id": "s1",
        }
    ]


def test_an_output_without_an_answer_is_printed_whole(
    perdure: Perdure, started: ScriptedGateway
) -> None:
    started.run(summary("r1", output={"total": 3}))
    assert json.loads(perdure("run", "sums").out) == {"total": 3}


def test_for_a_program_there_is_one_json_document(
    perdure: Perdure, started: ScriptedGateway
) -> None:
    ran = perdure("run", "basic-llm", "--json")
    assert json.loads(ran.out)["output"] == {"response": "Paris."}
    assert ran.err == ""


def test_a_detached_run_gives_its_id_and_is_not_waited_for(
    perdure: Perdure, started: ScriptedGateway
) -> None:
    assert perdure("run", "basic-llm", "--detach").out == "r1\n"
    assert json.loads(perdure("run", "basic-llm", "-d", "--json").out) == {"run_id": "r1"}
    assert started.asked("GET", "/runs/r1/ledger/stream") == []


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_run_that_does_not_complete_ends_the_command_with_1(
    status: str, perdure: Perdure, started: ScriptedGateway
) -> None:
    started.run(summary("r1", status=status, error="out of luck", output=None))
    ran = perdure("run", "basic-llm")
    assert (ran.code, ran.out) == (1, "")
    assert f"The run is {status}: out of luck" in ran.err


def test_a_run_that_waits_for_a_person_who_is_not_there_ends_it_with_3(
    perdure: Perdure, started: ScriptedGateway
) -> None:
    started.run(waits("r1", question()))
    asks = record(status="waiting", result={"wait": question()})
    started.ledger("r1", [step(1, asks)], [])
    ran = perdure("run", "ask-first")
    assert ran.code == 3
    assert "The run waits: Really?" in ran.err
    assert "answer r1" in ran.err


def test_warnings_are_told_and_absent_tools_share_one(
    perdure: Perdure, started: ScriptedGateway
) -> None:
    absent = [f"#FALLBACK tool {name} is not installed" for name in ("read_file", "web_search")]
    started.run(summary("r1", flow_warnings=[*absent, "#FALLBACK a toy"]))
    told = perdure("run", "basic-agent").err
    assert "#FALLBACK tools that are not installed are left out: read_file, web_search\n" in told
    assert "#FALLBACK a toy" in told


def test_a_flow_that_is_not_there_is_told(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("POST", "/runs/start", problem(404, "bundle_not_found", "There is no bundle 'x'."))
    ran = perdure("run", "x")
    assert ran.code == 1
    assert ran.err.startswith("error: There is no bundle 'x'.\n")
    assert "bundles list" in ran.err


@pytest.mark.parametrize(
    ("flow", "named"),
    [
        ("b", {"bundle_id": "b"}),
        ("b@1.0.0", {"bundle_id": "b@1.0.0"}),
        ("b:f", {"flow_id": "b:f"}),
        ("b@1.0.0:f", {"flow_id": "b@1.0.0:f"}),
    ],
)
def test_a_flow_is_named_as_the_gateway_takes_it(flow: str, named: dict[str, Any]) -> None:
    assert body_of(flow, {}, None) == named | {"input_data": {}}


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("x=1", 1),
        ("x=true", True),
        ('x="1"', "1"),
        ("x=one two", "one two"),
        ("x=a=b", "a=b"),
        ('x={"a": [1]}', {"a": [1]}),
        ("x=", ""),
    ],
)
def test_a_value_that_is_json_is_taken_as_such(pair: str, value: Any) -> None:
    assert inputs_of(None, [pair], None) == {"x": value}


def test_inputs_come_from_a_file_or_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "inputs.json"
    file.write_text('{"a": 1}')
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"a": 2}'))
    assert inputs_of("why", [], f"@{file}") == {"a": 1, "prompt": "why"}
    assert inputs_of(None, ["b=3"], "-") == {"a": 2, "b": 3}


@pytest.mark.parametrize(
    ("prompt", "pairs", "text", "why"),
    [
        (None, ["x"], None, "NAME=VALUE, not 'x'"),
        (None, ["=1"], None, "NAME=VALUE"),
        (None, [], "{", "is no JSON"),
        (None, [], "[1]", "takes an object"),
        (None, [], "@/nowhere/at/all", "cannot be read: No such file"),
        ("a", ["prompt=b"], None, "The input prompt is given twice"),
        (None, ["a=1"], '{"a": 2}', "The input a is given twice"),
    ],
)
def test_inputs_that_cannot_be_meant_are_refused(
    prompt: str | None, pairs: list[str], text: str | None, why: str
) -> None:
    with pytest.raises(Invalid, match=why):
        inputs_of(prompt, pairs, text)


def test_a_run_is_given_so_long(perdure: Perdure, started: ScriptedGateway) -> None:
    assert perdure("run", "basic-llm", "--timeout", "1.5").code == 0
    assert started.bodies("/runs/start")[0]["timeout_s"] == 1.5
