"""Runs beside a flow: listeners for events and planned times, from its start to its end."""

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from perdure.features.flows.listeners import LISTENER_KIND, address_of, listened, listener_name
from perdure.ids import RunId
from perdure.kernel.model import ProgramRef, Status
from perdure.kernel.values import Json
from perdure.stores.blocked import blocked_on
from tests.support.builders import a_birth
from tests.support.clock import START
from tests.support.drawing import Drawn, a_flow, a_node, a_start, a_value, an_end
from tests.support.flowing import Flowing
from tests.support.planes import DATABASES
from tests.support.tables import bundle_of, cases_of, row, table
from tests.support.tables_live import lived

ASK = a_node("ask_user", "prompt", out="response", defaults={"prompt": "?"})


def _listening(**config: Json) -> Drawn:
    return a_node("on_event", out="event payload", eventConfig={"name": "go", **config})


def _flow(on: Drawn, *lines: str, **more: Drawn) -> Json:
    """A flow that asks, and beside it a listener that says what it has heard."""
    say = a_node("answer_user", "message", out="message")
    return a_flow(
        {"start": a_start("x"), "ask": ASK, "end": an_end("x"), "on": on, "say": say, **more},
        "start -> ask -> end", "start.x => end.x", "on -> say", "on.payload => say.message", *lines,
    )  # fmt: skip


def _said(run: Flowing) -> list[Json]:
    return [effect.payload["message"] for effect in run.effects("answer_user")]


# --- birth and end -----------------------------------------------------------------------------


def test_a_listener_is_born_with_the_first_decision_and_has_the_inputs() -> None:
    run = Flowing(_flow(_listening())).start({"x": 7})
    (child,) = run.children()
    assert child.run.birth.parent_id == run.root
    assert child.run.birth.workflow_id == run.life.run.birth.workflow_id
    assert child.run.birth.program.kind == LISTENER_KIND
    assert child.cells["in/x"] == 7
    assert run.life.steps[0].node_id == "on"
    assert child.run.status is Status.WAITING


def test_the_run_says_what_it_itself_waits_for() -> None:
    run = Flowing(_flow(_listening())).start()
    assert run.status is Status.WAITING
    assert blocked_kind(run) == "question"


def blocked_kind(run: Flowing) -> str:
    blocked = blocked_on(run.life.run)
    assert blocked is not None
    return blocked.kind


def test_a_listener_ends_with_its_run() -> None:
    run = Flowing(_flow(_listening())).start({"x": 1})
    run.answer("ask", {"response": "done"})
    assert run.output == {"x": 1, "success": True}
    assert [child.run.status for child in run.children()] == [Status.CANCELLED]


def test_on_flow_end_ends_the_listener_alone() -> None:
    flow = _flow(_listening(), "say -> over", over=an_end())
    run = Flowing(flow).start({"x": 1})
    run.answer("on", {"name": "go", "payload": "hi"})
    assert [child.run.status for child in run.children()] == [Status.COMPLETED]
    assert run.status is Status.WAITING, "the flow goes on"
    assert run.answer("ask", {"response": "done"}).output == {"x": 1, "success": True}


def test_a_listener_that_fails_is_a_warning_and_no_failure() -> None:
    broken = a_node("emit_event")
    run = Flowing(_flow(_listening(), "say -> broken", broken=broken)).start({"x": 1})
    run.answer("on", {"name": "go", "payload": "hi"})
    assert [child.run.status for child in run.children()] == [Status.FAILED]
    assert run.answer("ask", {"response": "done"}).output["x"] == 1
    assert run.life.run.warnings == (
        "listener on: child_failed: bad_input: broken: an event needs a name",
    )


def test_a_node_that_the_flow_leads_to_is_no_listener() -> None:
    flow = a_flow({"start": a_start(), "on": _listening(), "end": an_end()}, "start -> on -> end")
    assert Flowing(flow).start().children() == []


# --- events ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["session", "workflow", "run", "global"])
@pytest.mark.parametrize("name", ["go", ""])
def test_it_hears_what_its_run_emits_again_and_again(scope: str, name: str) -> None:
    emits = {
        it: a_node("emit_event", defaults={"name": "go", "scope": scope, "payload": it}) for it in ("a", "b")
    }  # fmt: skip
    flow = _flow(
        a_node("on_event", out="payload", eventConfig={"name": name, "scope": scope}),
        "a -> mid -> b", **emits, mid=ASK,
    )  # fmt: skip
    flow["edges"] = [
        edge for edge in flow["edges"] if (edge["source"], edge["target"]) != ("start", "ask")
    ]
    flow["edges"] += [_way("start", "a"), _way("b", "ask")]
    run = Flowing(flow).start({"x": 1})
    run.answer("mid", {"response": ""})
    assert _said(run) == ["{'value': 'a'}", "{'value': 'b'}"]


def _way(source: str, target: str) -> Json:
    return {
        "id": f"{source}-{target}",
        "source": source,
        "sourceHandle": "exec-out",
        "target": target,
        "targetHandle": "exec-in",
    }


def test_it_grows_nothing_from_event_to_event() -> None:
    run = Flowing(_flow(_listening())).start()
    (child,) = run.children()
    run.answer("on", {"name": "go", "payload": {"n": 0}})
    before = set(child.cells)
    for n in range(1, 20):
        run.answer("on", {"name": "go", "payload": {"n": n}})
    assert set(child.cells) == before
    assert _said(run) == [str({"n": n}) for n in range(20)]


def test_a_listener_counts_as_the_run_that_it_belongs_to() -> None:
    run = a_birth()
    child = replace(
        run, id=RunId("child"), parent_id=run.id, program=ProgramRef(LISTENER_KIND, None, "f#n")
    )
    for scope in ("session", "workflow", "run", "global"):
        assert address_of(run, scope, "s", "n") == address_of(child, scope, "s", "n")


def test_a_listener_that_was_forked_alone_is_addressed_by_its_own_name() -> None:
    ref = ProgramRef(LISTENER_KIND, None, "main#on")
    alone = a_birth(program=ref)
    assert address_of(alone, "run", "s", "n") == f"evt:run:{alone.id}:n"


@pytest.mark.parametrize("flow_id", ["main", "a#b", "a/b c"])
def test_a_listener_is_named_without_doubt(flow_id: str) -> None:
    assert listened(listener_name(flow_id, "x#y")) == (flow_id, "x#y")


# --- planned times -----------------------------------------------------------------------------


def test_a_schedule_counts_from_the_planned_time_and_leaves_out_what_went_by() -> None:
    timer = a_node("on_schedule", out="timestamp", eventConfig={"schedule": "10s"})
    run = Flowing(_flow(timer, "on.timestamp => say.level")).start()
    assert run.until("on") == START + timedelta(seconds=10)
    run.come_due("on", late_s=3)
    assert run.until("on") == START + timedelta(seconds=20)
    run.come_due("on", late_s=27)
    assert run.until("on") == START + timedelta(seconds=50), "those at 30 and 40 are left out"
    assert len(_said(run)) == 2


def test_a_schedule_that_is_a_time_comes_once() -> None:
    at = START + timedelta(hours=1)
    timer = a_node("on_schedule", out="timestamp", eventConfig={"schedule": at.isoformat()})
    run = Flowing(_flow(timer)).start()
    assert run.until("on") == at
    run.come_due("on")
    assert [child.run.status for child in run.children()] == [Status.COMPLETED]
    assert run.status is Status.WAITING


@pytest.mark.parametrize("schedule", ["1ms", "0s", "soon", "999999999999d"])
def test_a_schedule_that_is_none_fails_the_listener(schedule: str) -> None:
    timer = a_node("on_schedule", eventConfig={"schedule": schedule})
    run = Flowing(_flow(timer)).start()
    assert [child.run.status for child in run.children()] == [Status.FAILED]
    assert run.status is Status.WAITING


# --- on real planes ----------------------------------------------------------------------------


def _heard(key: str) -> Drawn:
    return a_node(
        "wait_event", out="event_data", defaults={"event_key": f"evt:global:global:{key}"}
    )


def _emit(name: str, scope: str) -> Drawn:
    return a_node("emit_event", "payload", defaults={"name": name, "scope": scope})


ANSWERED = table(
    {"start": a_start("x"), "ask": _emit("go", "run"), "heard": _heard("heard"), "end": an_end("got"),
     "got": a_value("get", "object", out="value", defaults={"key": "payload.n"}),
     "on": a_node("on_event", out="payload", eventConfig={"name": "go", "scope": "run"}), "tell": _emit("heard", "global")},
    "start -> ask -> heard -> end", "start.x => ask.payload", "on -> tell", "on.payload => tell.payload",
    "heard.event_data => got.object", "got.value => end.got",
).rows(row({"x": {"n": 5}}, got=5))  # fmt: skip
TICKED = table(
    {"start": a_start(), "one": _heard("tick"), "two": _heard("tick"), "end": an_end(),
     "on": a_node("on_schedule", eventConfig={"schedule": "100ms"}), "tick": _emit("tick", "global")},
    "start -> one -> two -> end", "on -> tick",
).rows(row())  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.timeout(240)
async def test_listeners_on_a_real_plane(database: str, tmp_path: Path) -> None:
    cases = cases_of({"event": [ANSWERED], "schedule": [TICKED]})
    came = await lived(database, tmp_path, bundle_of(cases), cases)
    assert {it.status for it in came.values()} == {Status.COMPLETED}, came
    assert came["event-1-1"].output == {"got": 5, "success": True}
