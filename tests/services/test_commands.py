"""A command is taken in once, refused at the door where it cannot apply, and leaves nothing then."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from perdure.errors import (
    CommandNotFound,
    Conflict,
    DuplicateCommand,
    GatewayError,
    Invalid,
    RunNotFound,
    Unfit,
    WaitMismatch,
)
from perdure.ids import CommandId, Key, RunId
from perdure.kernel.model import Held, Reason, Run, Status
from perdure.services import commands
from perdure.services.commands import Command, message_of
from tests.support.builders import a_question, a_run, a_timer, an_effect
from tests.support.clock import START
from tests.support.drawing import a_bundle, a_flow, a_node, a_start, an_end
from tests.support.gateway import Gateway, a_gateway

pytestmark = pytest.mark.anyio


def a_command(type: str, run_id: str = "r", id: str = "c", **payload: Any) -> Command:
    """A command with this payload."""
    return Command(CommandId(id), RunId(run_id), type, payload, by="local/alice")


# --- at the door, on a run as it stands ----------------------------------------------------------


def test_an_answer_is_bound_to_the_very_opening_of_its_wait() -> None:
    run = a_run(waiting="k")
    message = message_of(a_command("resume", wait_key="k", payload={"response": "y"}), run)
    assert (message.kind, message.key, message.body) == ("resume", "k", {"response": "y"})
    assert message.opened_seq == run.open[Key("k")].seq
    assert (message.id, message.by) == ("command:c", "local/alice")


def test_the_only_wait_needs_no_name() -> None:
    message = message_of(a_command("resume", payload={"response": "y"}), a_run(waiting="k"))
    assert message.key == "k"


def test_of_several_waits_one_must_be_named() -> None:
    run = a_run(a_question("a", key="a"), a_question("b", key="b"))
    with pytest.raises(WaitMismatch, match="several") as told:
        message_of(a_command("resume", payload={}), run)
    assert told.value.facts["wait_keys"] == ["a", "b"]
    assert message_of(a_command("resume", wait_key="b", payload={}), run).key == "b"


@pytest.mark.parametrize("wait_key", ["other", None])
def test_what_the_run_does_not_wait_for_is_refused(wait_key: str | None) -> None:
    with pytest.raises(WaitMismatch):
        message_of(a_command("resume", wait_key=wait_key, payload={}), a_run(an_effect()))


def test_times_and_children_are_not_answered() -> None:
    child = replace(a_question("k", key="k"), reason=Reason.CHILD, child=RunId("child"))
    for run in (a_run(a_timer("t", START)), a_run(child)):
        with pytest.raises(WaitMismatch):
            message_of(a_command("resume", payload={"x": 1}), run)


@pytest.mark.parametrize("answer", ["text", 1, ["y"], {"response": "maybe"}])
def test_an_answer_that_does_not_fit_is_refused(answer: Any) -> None:
    asks = replace(a_question("k", key="k"), choices=("yes", "no"), allow_free_text=False)
    with pytest.raises(Unfit):
        message_of(a_command("resume", wait_key="k", payload=answer), a_run(asks))


HELD = Held("", "2026-01-01T00:00:00.000000+00:00")
ENDED = replace(a_run(), status=Status.COMPLETED)


@pytest.mark.parametrize(
    ("type", "payload", "run", "error"),
    [
        ("pause", {}, ENDED, Conflict),
        ("cancel", {}, ENDED, Conflict),
        ("resume", {}, ENDED, Conflict),
        ("resume", {"payload": {}}, ENDED, Conflict),
        ("resume", {}, a_run(waiting="k"), WaitMismatch),
        ("pause", {}, replace(a_run(waiting="k"), held=HELD), Conflict),
        ("pause", {"reason": 1}, a_run(waiting="k"), Unfit),
        ("resume", {"wait_key": 1}, a_run(waiting="k"), Unfit),
        ("update_schedule", {"interval": "1m"}, a_run(waiting="k"), Conflict),
    ],
)
def test_what_cannot_apply_is_refused(
    type: str, payload: dict[str, Any], run: Run, error: type[GatewayError]
) -> None:
    with pytest.raises(error):
        message_of(a_command(type, **payload), run)


def test_a_pause_ends_by_resume_also_under_the_name_that_clients_give_it() -> None:
    held = replace(a_run(waiting="k"), held=HELD)
    assert message_of(a_command("resume"), held).kind == "unpause"
    assert message_of(a_command("resume", wait_key="pause:r", payload={}), held).kind == "unpause"


def test_pause_and_cancel_carry_their_reason() -> None:
    run = a_run(waiting="k")
    assert message_of(a_command("pause", reason="lunch"), run).body == {"reason": "lunch"}
    assert message_of(a_command("cancel"), run).body == {"reason": ""}


def test_what_waits_for_an_event_can_be_answered_by_hand() -> None:
    run = a_run(replace(a_question("k", key="k"), reason=Reason.EVENT))
    assert message_of(a_command("resume", wait_key="k", payload={"any": 1}), run).key == "k"


# --- taken in --------------------------------------------------------------------------------------


async def test_an_answer_moves_the_run_on(gateway: Gateway) -> None:
    run_id = await gateway.start("ask:main", prompt="?")
    await gateway.until(run_id, "waiting")
    sent = a_command("resume", run_id, payload={"response": "yes"})
    accepted = await commands.send(gateway.runtime, sent)
    assert (accepted.seq, accepted.duplicate) == (1, False)
    assert (await gateway.until(run_id, "completed"))["output"]["said"] == "yes"
    found = await commands.delivery(gateway.runtime, CommandId("c"))
    assert (found.disposition, found.kind) == ("applied", "resume")


async def test_the_same_command_again_is_told_so_even_when_the_run_has_ended(
    gateway: Gateway,
) -> None:
    run_id = await gateway.start("ask:main", prompt="?")
    await gateway.until(run_id, "waiting")
    sent = a_command("cancel", run_id)
    first = await commands.send(gateway.runtime, sent)
    await gateway.until(run_id, "cancelled")
    again = await commands.send(gateway.runtime, sent)
    assert (again.seq, again.duplicate) == (first.seq, True)
    with pytest.raises(DuplicateCommand):
        await commands.send(gateway.runtime, a_command("cancel", run_id, reason="other"))


async def test_a_refused_command_leaves_its_id_free(gateway: Gateway) -> None:
    run_id = await gateway.start("ask:main", prompt="?")
    await gateway.until(run_id, "waiting")
    with pytest.raises(WaitMismatch):
        await commands.send(gateway.runtime, a_command("resume", run_id, wait_key="x", payload={}))
    with pytest.raises(CommandNotFound):
        await commands.delivery(gateway.runtime, CommandId("c"))
    sent = a_command("resume", run_id, payload={"response": "y"})
    assert not (await commands.send(gateway.runtime, sent)).duplicate


async def test_unknown_runs_and_types_are_refused(gateway: Gateway) -> None:
    with pytest.raises(RunNotFound):
        await commands.send(gateway.runtime, a_command("cancel", "nobody"))
    with pytest.raises(RunNotFound):
        await commands.send(gateway.runtime, a_command("emit_event", "nobody", name="n"))
    with pytest.raises(Invalid, match="type must be one of"):
        await commands.send(gateway.runtime, a_command("explode"))


async def test_a_blank_id_is_replaced(gateway: Gateway) -> None:
    run_id = await gateway.start("ask:main", prompt="?")
    await gateway.until(run_id, "waiting")
    assert not (await commands.send(gateway.runtime, a_command("pause", run_id, id=" "))).duplicate


# --- events ----------------------------------------------------------------------------------------


@pytest.fixture
async def listening(tmp_path: Path) -> AsyncIterator[tuple[Gateway, str]]:
    """A gateway, and a run in session `S` that waits for the event `go`."""
    waits = a_node("wait_event", out="event_data", defaults={"event_key": "evt:session:S:go"})
    flow = a_flow(
        {"start": a_start("prompt"), "wait": waits, "end": an_end("event")},
        "start -> wait -> end", "wait.event_data => end.event",
    )  # fmt: skip
    async with a_gateway(tmp_path) as gateway:
        await gateway.install(a_bundle(flow, id="listen"))
        body = {"flow_id": "listen:main", "session_id": "S"}
        run_id = (await gateway.post("/runs/start", body)).json()["run_id"]
        await gateway.until(run_id, "waiting")
        yield gateway, run_id


async def test_an_event_reaches_who_waits_for_it(listening: tuple[Gateway, str]) -> None:
    gateway, run_id = listening
    sent = a_command("emit_event", run_id, name="go", payload=5)._replace(client_id="cli")
    await commands.send(gateway.runtime, sent)
    event = (await gateway.until(run_id, "completed"))["output"]["event"]
    assert event["payload"] == {"value": 5}
    assert (event["event_id"], event["name"], event["scope"]) == ("c", "go", "session")
    assert event["emitter"] == {"source": "external", "client_id": "cli"}
    found = await commands.delivery(gateway.runtime, CommandId("c"))
    assert found.disposition == "applied: delivered to 1"
    assert (await commands.send(gateway.runtime, sent)).duplicate


async def test_a_session_s_name_stands_for_its_run(listening: tuple[Gateway, str]) -> None:
    gateway, run_id = listening
    await commands.send(gateway.runtime, a_command("emit_event", "S", name="go"))
    assert (await gateway.until(run_id, "completed"))["output"]["event"]["payload"] == {}


@pytest.mark.parametrize(
    "payload", [{}, {"name": 1}, {"name": "go", "scope": "world"}, {"name": "go", "session_id": 1}]
)
async def test_an_event_that_says_nothing_is_refused(
    listening: tuple[Gateway, str], payload: dict[str, Any]
) -> None:
    gateway, run_id = listening
    with pytest.raises(Unfit):
        await commands.send(gateway.runtime, a_command("emit_event", run_id, **payload))


@pytest.mark.parametrize(
    ("scope", "more", "address"),
    [
        ("session", {"session_id": "T"}, "evt:session:T:n"),
        ("workflow", {"workflow_id": "w"}, "evt:workflow:w:n"),
        ("run", {}, "evt:run:{run_id}:n"),
        ("global", {}, "evt:global:global:n"),
    ],
)
async def test_an_event_goes_where_its_scope_says(
    listening: tuple[Gateway, str], scope: str, more: dict[str, str], address: str
) -> None:
    gateway, run_id = listening
    header = await gateway.runtime.plane.runs.header(RunId(run_id))
    sent = a_command("emit_event", run_id, name="n", scope=scope, **more)
    emission = commands._emission(sent, header, "at", "until")
    assert emission.addresses == (address.format(run_id=run_id),)
