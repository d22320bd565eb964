"""Ledgers decided again: identical where nothing changed, and different exactly where something did."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from perdure.errors import BundleNotFound, Divergent, RunNotFound
from perdure.ids import RunId
from perdure.kernel.model import Event
from perdure.kernel.program import Moment, Move, View
from perdure.kernel.values import Json
from perdure.registry.registry import Registry
from perdure.services import runs
from perdure.services.births import StartRequest
from perdure.services.forks import ForkRequest, fork
from perdure.services.replays import Difference, Replayed, replay, verify
from tests.support.drawing import a_bundle, a_flow, a_node, a_start, an_end
from tests.support.gateway import Gateway, a_gateway

pytestmark = pytest.mark.anyio

LINES = (
    "start -> tell -> ask -> emit -> end",
    "start.prompt => tell.message", "start.prompt => ask.prompt", "ask.response => end.said",
)  # fmt: skip


def drawn() -> dict[str, Any]:
    """The nodes of a flow that tells, asks, emits and ends: eight records."""
    return {
        "start": a_start("prompt"),
        "tell": a_node("answer_user", "message", out="message"),
        "ask": a_node("ask_user", "prompt", out="response"),
        "emit": a_node("emit_event", "name", "payload", defaults={"name": "asked"}),
        "end": an_end("said"),
    }


def other(nodes: dict[str, Any], *lines: str) -> Json:
    """The flow with other nodes, and where any are named, other lines."""
    return a_flow(drawn() | nodes, *(lines or LINES))


def without_ask() -> Json:
    nodes = drawn()
    del nodes["ask"]
    return a_flow(nodes, "start -> tell -> emit -> end", "start.prompt => tell.message")


def renamed() -> Json:
    nodes = drawn()
    nodes["asks"] = nodes.pop("ask")
    return a_flow(
        nodes, *(line.replace("ask.", "asks.").replace("> ask ", "> asks ") for line in LINES)
    )


def told_apart() -> Json:
    return a_flow(drawn(), *LINES[:1], "start.prompt => ask.prompt", "ask.response => end.said")


AGAIN = {"again": a_node("answer_user", "message", out="message")}
SET = {"set": a_node("set_var", "value", out="value", pinDefaults={"name": "x", "value": 1})}
INCOMPATIBLE = {
    "another payload": (told_apart(), 1),
    "one effect more": (other(AGAIN, "start -> tell -> again -> ask -> emit -> end", *LINES[1:]), 3),
    "one wait less": (without_ask(), 3),
    "another name": (renamed(), 3),
    "another event": (
        other({"emit": a_node("emit_event", "name", defaults={"name": "other"})}), 5,
    ),
    "another output": (other({}, *LINES[:3], "start.prompt => end.said"), 7),
}  # fmt: skip
COMPATIBLE = {
    "another place and label": other({"tell": {**drawn()["tell"], "position": {"x": 9, "y": 9}}}),
    "a node that nothing leads to": other(AGAIN),
    "a variable on the way": other(
        SET, "start -> set -> tell -> ask -> emit -> end", *LINES[1:]
    ),
    "an input with a default": other({"start": a_start("prompt", more=1)}),
}  # fmt: skip


@pytest.fixture
async def lived(tmp_path: Path) -> AsyncIterator[tuple[Gateway, RunId]]:
    """A gateway with a run of version 1.0.0 that has ended."""
    async with a_gateway(tmp_path) as gateway:
        await gateway.install(a_bundle(a_flow(drawn(), *LINES)))
        run_id = await runs.start(gateway.runtime, StartRequest({"prompt": "Why?"}, "kit"))
        summary = await gateway.until(run_id, "waiting")
        answer = {"wait_key": summary["waiting"]["wait_key"], "payload": {"response": "So."}}
        assert (await gateway.command(run_id, "resume", payload=answer)).status_code == 200
        assert (await gateway.until(run_id, "completed"))["ledger_len"] == 8
        yield gateway, run_id


async def under(gateway: Gateway, flow: Json) -> list[Replayed]:
    """The ledgers of the flow, decided again under version 2.0.0 of it."""
    await gateway.install(a_bundle(flow, version="2.0.0"))
    asked = StartRequest({}, bundle_id="kit", bundle_version="2.0.0")
    return await verify(gateway.runtime, asked, (), 100)


async def test_a_run_is_identical_when_it_is_decided_again(
    lived: tuple[Gateway, RunId],
) -> None:
    gateway, run_id = lived
    assert await replay(gateway.runtime, run_id) == Replayed(run_id, 8)
    with pytest.raises(RunNotFound):
        await replay(gateway.runtime, RunId("nobody"))


class Raising:
    """A program with a bug, or one that is told of what nothing ever wrote."""

    def next(self, _cells: View, _event: Event, _moment: Moment) -> Move:
        """Raise."""
        raise KeyError("out/ask")


async def test_a_program_that_raises_is_a_difference_and_a_fork_of_it_is_refused(
    lived: tuple[Gateway, RunId], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, run_id = lived
    monkeypatch.setattr(Registry, "program", lambda *_: Raising())
    gateway.runtime._programs.clear()
    told = await replay(gateway.runtime, run_id)
    raised = Difference(
        1, "record", {"status": "started", "effect": "answer_user"}, "the program raised KeyError"
    )
    assert told == Replayed(run_id, 0, raised)
    with pytest.raises(Divergent):
        await fork(gateway.runtime, run_id, ForkRequest(3))


@pytest.mark.parametrize("edit", INCOMPATIBLE)
async def test_an_edit_that_a_run_would_notice_is_found_at_its_record(
    lived: tuple[Gateway, RunId], edit: str
) -> None:
    flow, seq = INCOMPATIBLE[edit]
    (found,) = await under(lived[0], flow)
    assert found.difference is not None
    assert (found.run_id, found.difference.seq) == (lived[1], seq), found


@pytest.mark.parametrize("edit", COMPATIBLE)
async def test_an_edit_that_no_run_would_notice_is_let_pass(
    lived: tuple[Gateway, RunId], edit: str
) -> None:
    assert await under(lived[0], COMPATIBLE[edit]) == [Replayed(lived[1], 8)]


OTHER_KIND = a_flow(
    drawn() | {"ask": a_node("sequence", out="then:0")},
    "start -> tell -> ask", "ask:then:0 -> emit -> end", "start.prompt => tell.message",
)  # fmt: skip


@pytest.mark.parametrize(
    ("flow", "why"),
    [
        (renamed(), "the run stands at 'ask', which this version does not have"),
        (OTHER_KIND, "'ask' is answered, and in this version it asks for nothing"),
    ],
)
async def test_a_fork_that_stands_where_a_version_has_no_such_node_differs_there(
    lived: tuple[Gateway, RunId], flow: Json, why: str
) -> None:
    """Its cells come from the version of its origin; the other one is never asked to begin."""
    gateway, run_id = lived
    fork_id = await forked(gateway, run_id, 3)
    await gateway.until(fork_id, "completed")
    (fork, origin) = await under(gateway, flow)
    assert (origin.run_id, fork.run_id) == (run_id, fork_id)
    assert fork.difference is not None
    assert fork.difference.seq == 3
    last = await forked(gateway, fork_id, 1, bundle_version="2.0.0")
    assert (await gateway.until(last, "failed"))["error"] == f"bad_input: {why}"


async def forked(gateway: Gateway, run_id: str, seq: int, **how: Json) -> str:
    """A fork that waits, and is answered."""
    made = await gateway.post(f"/runs/{run_id}/fork", {"from_seq": seq, **how})
    fork_id = str(made.json()["run_id"])
    summary = await gateway.until(fork_id, "waiting")
    answer = {"wait_key": summary["waiting"]["wait_key"], "payload": {"response": "So."}}
    await gateway.command(fork_id, "resume", payload=answer)
    return fork_id


async def test_only_versions_that_are_there_are_held_against_anything(
    lived: tuple[Gateway, RunId],
) -> None:
    with pytest.raises(BundleNotFound):
        await verify(lived[0].runtime, StartRequest({}, "kit", "9.0.0"), (), 1)


async def test_one_past_is_told_at_a_time(
    lived: tuple[Gateway, RunId], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page is decided without a pause: many at once would keep other principals waiting."""
    gateway, run_id = lived
    store, telling, most = gateway.runtime.plane.runs, 0, 0
    plain = store.recorded

    async def recorded(*given: Any, **named: Any) -> Any:
        nonlocal telling, most
        telling += 1
        most = max(most, telling)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        telling -= 1
        return await plain(*given, **named)

    monkeypatch.setattr(store, "recorded", recorded)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(replay, gateway.runtime, run_id)
    assert most == 1
