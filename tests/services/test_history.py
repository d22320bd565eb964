"""A history has the run's tree, as much of each ledger as was asked, and the session's turns."""

import pytest

from perdure.errors import RunNotFound
from perdure.ids import RunId
from perdure.services import history as histories
from perdure.services.births import PROMPT_LETTERS_MAX
from perdure.services.history import Asked, history
from perdure.stores.artifacts import Named
from tests.support.drawing import a_bundle, a_flow, a_node, a_start, an_end
from tests.support.gateway import Gateway

pytestmark = pytest.mark.anyio


async def a_family(gateway: Gateway) -> RunId:
    """A run that has called a subflow and ended."""
    child = a_flow(
        {"start": a_start("x"), "end": an_end("x")}, "start -> end", "start.x => end.x", id="child"
    )
    calls = a_node("subflow", "x", out="x", subflowId="child")
    parent = a_flow(
        {"start": a_start("x"), "call": calls, "end": an_end("x")},
        "start -> call -> end", "start.x => call.x", "call.x => end.x", id="parent",
    )  # fmt: skip
    await gateway.install(a_bundle(parent, child, id="family"))
    run_id = await gateway.start("family:parent", x="hi")
    assert (await gateway.until(run_id, "completed", "failed"))["status"] == "completed"
    return RunId(run_id)


async def test_the_tree_is_there_with_every_ledger(gateway: Gateway) -> None:
    run_id = await a_family(gateway)
    found = await history(gateway.runtime, run_id, Asked(whole=True))
    root, child = found.ledgers
    assert root.run_id == run_id
    child_header = await gateway.runtime.plane.runs.header(child.run_id)
    assert child_header.birth.parent_id == run_id
    for part in found.ledgers:
        assert [record.seq for record in part.records] == list(range(1, part.total + 1))
    assert found.inputs == {"x": "hi"}


async def test_a_child_s_history_has_nothing_of_its_parent(gateway: Gateway) -> None:
    run_id = await a_family(gateway)
    child = (await history(gateway.runtime, run_id, Asked())).ledgers[1].run_id
    found = await history(gateway.runtime, child, Asked())
    assert [part.run_id for part in found.ledgers] == [child]


async def test_children_can_be_left_out(gateway: Gateway) -> None:
    run_id = await a_family(gateway)
    found = await history(gateway.runtime, run_id, Asked(subruns=False))
    assert [part.run_id for part in found.ledgers] == [run_id]
    assert found.turns is None


@pytest.mark.parametrize(("records_max", "seqs"), [(0, []), (1, [2]), (2, [1, 2]), (9, [1, 2])])
async def test_a_tail_has_the_last_records(
    gateway: Gateway, records_max: int, seqs: list[int]
) -> None:
    run_id = RunId(await gateway.start("straight:main", prompt="hi"))
    await gateway.until(run_id, "completed")
    found = await history(gateway.runtime, run_id, Asked(records_max=records_max))
    assert [record.seq for record in found.ledgers[0].records] == seqs
    assert found.ledgers[0].total == 2


async def test_all_ledgers_together_are_bounded(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await a_family(gateway)
    monkeypatch.setattr(histories, "RECORDS_MAX", 3)
    found = await history(gateway.runtime, run_id, Asked(whole=True))
    assert sum(len(part.records) for part in found.ledgers) == 3


async def test_the_turns_of_a_session_come_in_order_with_their_whole_prompts(
    gateway: Gateway,
) -> None:
    long, run_id = "x" * (PROMPT_LETTERS_MAX + 1), ""
    for prompt in ("first", long):
        body = {"flow_id": "straight:main", "session_id": "S", "input_data": {"prompt": prompt}}
        run_id = (await gateway.post("/runs/start", body)).json()["run_id"]
        await gateway.until(run_id, "completed")
    await gateway.start("straight:main", prompt="of another session")
    found = await history(gateway.runtime, RunId(run_id), Asked(session=True))
    assert [turn.prompt for turn in found.turns or ()] == ["first", long]


async def test_the_flow_is_named_by_its_content(gateway: Gateway) -> None:
    first = RunId(await gateway.start("straight:main", prompt="a"))
    second = RunId(await gateway.start("straight:main", prompt="b"))
    shown = [(await history(gateway.runtime, it, Asked())).snapshot for it in (first, second)]
    assert shown[0] is not None
    assert shown[0] == shown[1]


async def test_an_unknown_run_has_no_history(gateway: Gateway) -> None:
    with pytest.raises(RunNotFound):
        await history(gateway.runtime, RunId("nobody"), Asked())


async def test_a_turn_names_what_it_made_and_not_what_was_put_away(gateway: Gateway) -> None:
    run_id = RunId(await gateway.start("straight:main", prompt="x" * 100_000))
    await gateway.until(run_id, "completed")
    named = Named(run_id, "text/plain", "2026", {"filename": "a.txt"}, kind="file")
    async with gateway.runtime.plane.artifacts.incoming() as incoming:
        await incoming.write(b"made")
        made = await incoming.keep(named)
    found = await history(gateway.runtime, run_id, Asked(session=True))
    assert [turn.artifacts for turn in found.turns or ()] == [[made]]
    asked = {"include_session": "true"}
    told = (await gateway.get(f"/runs/{run_id}/history_bundle", params=asked)).json()
    (turn,) = told["session"]["turns"]
    assert [it["filename"] for it in turn["artifacts"]] == ["a.txt"]
