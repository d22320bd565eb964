"""Runs are listed, shown with why they wait, answered where the wait lies, and stopped."""

import json
from typing import Any

import pytest

from tests.app.conftest import Perdure
from tests.support.scripted_gateway import (
    AT,
    ScriptedGateway,
    child_wait,
    problem,
    question,
    summary,
    waits,
)

RESUME = {"verb": "resume", "label": "Answer", "method": "POST", "path": "/api/gateway/commands",
          "body": {"run_id": "r1", "type": "resume", "payload": {"wait_key": "k", "payload": {}}}}  # fmt: skip
GO_ON = RESUME | {"label": "Let it go on", "body": {"payload": {}}}
CANCEL = RESUME | {"verb": "cancel", "label": "Cancel the run", "body": {"payload": {}}}
LOOK = {"verb": "look", "label": "See the child", "method": "GET", "path": "/api/gateway/runs/r2"}
STRANGE = {"verb": "top_up", "label": "Raise it", "method": "PUT", "path": "/api/x", "body": {"n": 1}}  # fmt: skip


def test_runs_are_listed_newest_first(perdure: Perdure, gateway: ScriptedGateway) -> None:
    rows = [summary("r2"), summary("r1", status="failed", error="it\nbroke")]
    gateway.on("GET", "/runs", (200, {"items": rows, "next_cursor": None}))
    ran = perdure("runs", "--status", "failed", "-q", "x", "--session", "s")
    assert [line.split()[:3] for line in ran.out.splitlines()[1:]] == [
        ["r2", "b@1.0.0:f", "completed"],
        ["r1", "b@1.0.0:f", "failed"],
    ]
    assert ran.out.splitlines()[2].endswith("it broke")
    asked = gateway.asked("GET", "/runs")[0].path
    assert "status=failed&session_id=s&q=x&root_only=true" in asked
    assert json.loads(perdure("runs", "--json").out) == rows


def test_where_there_are_no_runs_it_says_how_to_start_one(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    gateway.on("GET", "/runs", (200, {"items": [], "next_cursor": None}))
    assert "run basic-agent" in perdure("runs").out


def test_a_run_shows_what_it_came_to(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.run(
        summary(
            "r1", tokens_in=31, tokens_out=12, tokens_total=43, session_id="s1", parent_run_id="r0"
        )
    )
    lines = dict(line.split(maxsplit=1) for line in perdure("show", "r1").out.splitlines())
    assert lines["status"] == "completed"
    assert lines["answer"] == "Paris."
    assert lines["tokens"] == "31 in, 12 out"
    assert (lines["session"], lines["parent"]) == ("s1", "r0")
    assert json.loads(perdure("show", "r1", "--json").out)["run_id"] == "r1"


def test_a_run_that_waits_shows_why_and_what_makes_it_go_on(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    blocked = {"type": "question", "since": AT, "detail": "Really?"}
    ways = [RESUME, GO_ON, CANCEL, LOOK, STRANGE]
    gateway.run(waits("r1", question()) | {"blocked_on": blocked | {"unblock": ways}})
    out = perdure("show", "r1").out
    assert "waits for  Really?" in out
    assert "1  yes" in out
    for line in (
        "answer r1",
        "resume r1",
        "cancel r1",
        "show r2",
        'Raise it: PUT /api/x {"n": 1}',
    ):
        assert f"{line}\n" in out


def test_an_answer_goes_to_the_run_that_waits(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.run(waits("r1", question())).takes_commands()
    assert perdure("answer", "r1", "--choice", "1").code == 0
    [sent] = gateway.bodies("/commands")
    assert sent["payload"] == {"wait_key": "user:r1:ask", "payload": {"response": "yes"}}


def test_an_answer_goes_down_to_the_child_that_asks(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    gateway.run(waits("r1", child_wait("r2"))).run(waits("r2", question("r2"))).takes_commands()
    perdure("answer", "r1", "yes")
    [sent] = gateway.bodies("/commands")
    assert (sent["run_id"], sent["payload"]["wait_key"]) == ("r2", "user:r2:ask")


@pytest.mark.parametrize(
    ("words", "payload"),
    [
        (["--approve"], {"approved": True}),
        (["too risky", "--deny"], {"approved": False, "reason": "too risky"}),
        (["--payload-json", '{"approved": true, "x": 1}'], {"approved": True, "x": 1}),
    ],
)
def test_an_approval_is_a_yes_or_a_no(
    words: list[str], payload: Any, perdure: Perdure, gateway: ScriptedGateway
) -> None:
    wait = question(choices=None, details={"mode": "approval_required", "tool_calls": []})
    gateway.run(waits("r1", wait)).takes_commands()
    assert perdure("answer", "r1", *words).code == 0
    assert gateway.bodies("/commands")[0]["payload"]["payload"] == payload


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["perhaps"], "one of: 1 yes, 2 no"),
        ([], "give a TEXT or an option"),
        (["--payload-json", "{"], "--payload-json is no JSON"),
    ],
)
def test_an_answer_that_cannot_be_meant_is_usage(
    words: list[str], why: str, perdure: Perdure, gateway: ScriptedGateway
) -> None:
    gateway.run(waits("r1", question()))
    ran = perdure("answer", "r1", *words)
    assert ran.code == 2
    assert why in ran.err


def test_a_run_that_waits_for_nobody_takes_no_answer(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    gateway.run(summary("r1"))
    ran = perdure("answer", "r1", "yes")
    assert ran.code == 1
    assert "Run r1 waits for no answer: it is completed." in ran.err


@pytest.mark.parametrize(
    ("words", "kind", "payload", "said"),
    [
        (["cancel", "r1", "--reason", "enough"], "cancel", {"reason": "enough"}, "Cancelled."),
        (["pause", "r1"], "pause", {}, "Paused."),
        (["resume", "r1"], "resume", {}, "It goes on."),
    ],
)
def test_a_run_is_stopped_held_and_let_go(
    words: list[str], kind: str, payload: Any, said: str, perdure: Perdure, gateway: ScriptedGateway
) -> None:
    gateway.takes_commands()
    assert perdure(*words).out == f"{said}\n"
    [sent] = gateway.bodies("/commands")
    assert (sent["run_id"], sent["type"], sent["payload"]) == ("r1", kind, payload)


def test_a_command_that_changed_nothing_is_told_so(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    gateway.takes_commands("ignored", "the run has ended")
    ran = perdure("cancel", "r1")
    assert ran.code == 1
    assert "It changed nothing: the run has ended." in ran.err


def test_an_unknown_run_is_told(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("GET", "/runs/r9", problem(404, "run_not_found", "There is no such run."))
    ran = perdure("show", "r9")
    assert ran.code == 1
    assert ran.err.startswith("error: There is no such run.\n")
