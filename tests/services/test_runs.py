"""Runs are started once, shown as they are, and pinned to the very bytes of their bundle."""

from typing import Any

import anyio
import pytest

from perdure.errors import (
    BundleNotFound,
    Deprecated,
    FeatureAbsent,
    FlowNotFound,
    Forbidden,
    Invalid,
    KeyReused,
    RunNotFound,
    Unfit,
)
from perdure.ids import RunId
from perdure.services import bundles, runs
from perdure.services.births import StartRequest
from perdure.stores.runs import RunQuery
from tests.support.gateway import Gateway, an_asking_bundle

pytestmark = pytest.mark.anyio
ASK = StartRequest({"prompt": "Really?"}, flow_id="ask:main")


async def test_the_birth_is_durable_when_start_returns(gateway: Gateway) -> None:
    run_id = await runs.start(gateway.runtime, ASK)
    header = await runs.summary(gateway.runtime, run_id)
    installed = {it.bundle_id: it for it in await gateway.runtime.plane.bundles.list()}
    assert header.birth.workflow_id == "ask@1.0.0:main"
    assert header.birth.program == ("flow", installed["ask"].sha256, "main")
    assert header.birth.prompt == "Really?"


async def test_the_same_request_under_the_same_key_starts_one_run(gateway: Gateway) -> None:
    asked = ASK._replace(key="k")
    found: set[RunId] = set()

    async def once() -> None:
        found.add(await runs.start(gateway.runtime, asked))

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(once)
    assert len(found) == 1
    assert len((await runs.listed(gateway.runtime, RunQuery())).items) == 1


async def test_a_repeat_is_answered_as_before_whatever_became_of_the_bundle(
    gateway: Gateway,
) -> None:
    asked = ASK._replace(key="k")
    first = await runs.start(gateway.runtime, asked)
    await bundles.remove(gateway.runtime, "ask", None)
    assert await runs.start(gateway.runtime, asked) == first
    with pytest.raises(KeyReused):
        await runs.start(gateway.runtime, asked._replace(session_id="other"))


async def test_another_request_under_the_same_key_is_refused(gateway: Gateway) -> None:
    await runs.start(gateway.runtime, ASK._replace(key="k"))
    with pytest.raises(KeyReused):
        await runs.start(gateway.runtime, ASK._replace(key="k", session_id="other"))
    assert len((await runs.listed(gateway.runtime, RunQuery())).items) == 1


REFUSED = [
    ({"flow_id": "ask:nope"}, FlowNotFound),
    ({"flow_id": "nope:main"}, BundleNotFound),
    ({"bundle_id": "ask@9.9.9"}, BundleNotFound),
    ({}, Invalid),  # which of the two bundles?
    ({"flow_id": "ask:main", "bundle_id": "straight"}, Invalid),
    ({"bundle_id": "ask@1.0.0", "bundle_version": "2"}, Invalid),
    ({"bundle_id": "ask/../x"}, Invalid),
    ({"flow_id": "ask:main", "registry_scope": "zzz"}, Invalid),
    ({"flow_id": "ask:main", "registry_scope": "tenant_catalog"}, FeatureAbsent),
    ({"bundle_id": "__catalog__v2__x"}, Forbidden),
    ({"flow_id": "ask:main", "input_data": {"a": [{"$artifact": "nope"}]}}, Unfit),
]


@pytest.mark.parametrize(("fields", "error"), REFUSED)
async def test_what_cannot_be_meant_starts_nothing(
    gateway: Gateway, fields: dict[str, Any], error: type[Exception]
) -> None:
    asked = ASK._replace(**{"flow_id": None, **fields})
    with pytest.raises(error):
        await runs.start(gateway.runtime, asked)
    assert (await runs.listed(gateway.runtime, RunQuery())).items == ()


async def test_a_bundle_without_a_flow_named_means_its_default(gateway: Gateway) -> None:
    run_id = await runs.start(gateway.runtime, StartRequest({}, bundle_id="ask"))
    assert (await runs.summary(gateway.runtime, run_id)).birth.workflow_id == "ask@1.0.0:main"


async def test_a_start_reads_of_the_bundle_that_it_names_and_of_no_other(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, asked = gateway.runtime.plane.bundles, []
    listed = store.list

    async def list_(bundle_id: str | None = None) -> Any:
        asked.append(bundle_id)
        return await listed(bundle_id)

    monkeypatch.setattr(store, "list", list_)
    await runs.start(gateway.runtime, ASK)
    assert asked == ["ask"]


async def test_a_deprecated_flow_takes_no_new_runs(gateway: Gateway) -> None:
    await bundles.deprecate(gateway.runtime, "ask", None, "old")
    with pytest.raises(Deprecated, match="old"):
        await runs.start(gateway.runtime, ASK)
    await bundles.undeprecate(gateway.runtime, "ask", None)
    assert await runs.start(gateway.runtime, ASK)


async def test_a_draft_is_started_only_to_be_tried(gateway: Gateway) -> None:
    await gateway.install(an_asking_bundle(id="ask", version="draft.1"))
    asked = StartRequest({}, bundle_id="ask", bundle_version="draft.1")
    with pytest.raises(Invalid):
        await runs.start(gateway.runtime, asked)
    run_id = await runs.start(gateway.runtime, asked._replace(lifecycle={"purpose": "draft_test"}))
    shown = [it.birth.id for it in (await runs.listed(gateway.runtime, RunQuery())).items]
    assert run_id not in shown


async def test_the_inputs_are_those_that_the_flow_declares(gateway: Gateway) -> None:
    run_id = await runs.start(gateway.runtime, ASK._replace(input_data={"prompt": "p", "more": 1}))
    inputs = await runs.input_data(gateway.runtime, run_id)
    assert (inputs.bundle_id, inputs.bundle_version, inputs.flow_id) == ("ask", "1.0.0", "main")
    assert inputs.pins == ("prompt",)
    assert inputs.given == {"prompt": "p", "more": 1}


async def test_an_unknown_run_is_not_found_by_any_way(gateway: Gateway) -> None:
    nobody, runtime = RunId("nobody"), gateway.runtime
    with pytest.raises(RunNotFound):
        await runs.summary(runtime, nobody)
    with pytest.raises(RunNotFound):
        await runs.input_data(runtime, nobody)
    with pytest.raises(RunNotFound):
        await runs.ledger(runtime, nobody, after=0, limit=1)
    with pytest.raises(RunNotFound):
        await runs.follow(runtime, nobody, after=0)
    with pytest.raises(RunNotFound):
        await runs.state(runtime, nobody, None)
    with pytest.raises(RunNotFound):
        await runs.verify(runtime, nobody)
    assert await runs.ledger_batch(runtime, {nobody: 0}, limit=1) == {}


async def test_who_asks_to_follow_an_unknown_run_is_not_listened_for(gateway: Gateway) -> None:
    with pytest.raises(RunNotFound):
        await runs.follow(gateway.runtime, RunId("nobody"), after=0, deltas=True)
    assert not gateway.runtime.hub._by_run


async def test_the_state_is_that_after_a_record(gateway: Gateway) -> None:
    run_id = RunId(await gateway.start("straight:main", prompt="hi"))
    await gateway.until(run_id, "completed")
    _, first = await runs.state(gateway.runtime, run_id, 0)
    seq, last = await runs.state(gateway.runtime, run_id, None)
    assert first["in/prompt"] == last["in/prompt"] == "hi"
    assert (seq, "out/start" in first, "out/start" in last) == (2, False, True)
    with pytest.raises(Invalid):
        await runs.state(gateway.runtime, run_id, seq + 1)


async def test_an_untouched_ledger_verifies(gateway: Gateway) -> None:
    run_id = RunId(await gateway.start("straight:main", prompt="hi"))
    await gateway.until(run_id, "completed")
    verdict = await runs.verify(gateway.runtime, run_id)
    assert (verdict.ok, verdict.records) == (True, 2)


async def test_a_batch_shares_its_room_among_its_runs(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [RunId(await gateway.start("straight:main", prompt="hi")) for _ in range(2)]
    for run_id in ids:
        await gateway.until(run_id, "completed")
    monkeypatch.setattr(runs, "BATCH_RECORDS_MAX", 2)
    pages = await runs.ledger_batch(gateway.runtime, dict.fromkeys(ids, 0), limit=100)
    assert {run_id: len(page) for run_id, page in pages.items()} == dict.fromkeys(ids, 1)


def test_the_same_body_has_the_same_hash_in_any_order() -> None:
    assert runs.hash_of({"a": 1, "b": [2]}) == runs.hash_of({"b": [2], "a": 1})
    assert runs.hash_of({"a": 1}) != runs.hash_of({"a": 2})
