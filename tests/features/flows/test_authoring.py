"""Flows under their authors' hands: what is drawn may be incomplete, what is published can be run and never changes."""

from typing import Any

import anyio
import pytest

from perdure.bundles.codec import read_bundle
from perdure.features.flows.authoring import DRAWINGS_MAX, next_version
from perdure.features.flows.nodes import NODES
from perdure.ids import BundleSha
from perdure.stores.bundles import Installed
from tests.api.conftest import gateway as gateway
from tests.support.drawing import a_flow, a_node, a_start, an_end
from tests.support.gateway import Gateway

pytestmark = pytest.mark.anyio
AT = "2026-01-01T00:00:00.000000+00:00"


def drawn(*edges: str, **nodes: Any) -> dict[str, Any]:
    """The body of a flow that gives back its prompt, with other nodes beside."""
    flow = a_flow({"start": a_start("prompt"), "end": an_end("prompt"), **nodes}, *edges)
    return {"name": "My flow", "nodes": flow["nodes"], "edges": flow["edges"]}


STRAIGHT = drawn("start -> end", "start.prompt => end.prompt")


async def saved(
    gateway: Gateway, body: dict[str, Any] = STRAIGHT, key: str | None = None
) -> dict[str, Any]:
    """Keep a flow; what was answered."""
    headers = {} if key is None else {"idempotency-key": key}
    answer = await gateway.post("/visualflows", body, headers=headers)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def published(gateway: Gateway, flow_id: str, **body: Any) -> dict[str, Any]:
    """Publish a flow; what was answered."""
    answer = await gateway.post(f"/visualflows/{flow_id}/publish", body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_drawing_is_kept_changed_listed_and_forgotten(gateway: Gateway) -> None:
    first = await saved(gateway)
    assert (len(first["id"]), first["name"], first["problems"]) == (8, "My flow", [])
    path = f"/visualflows/{first['id']}"
    changed = (
        await gateway.client.put(f"/api/gateway{path}", json={"description": "of mine"})
    ).json()
    assert (changed["description"], changed["nodes"]) == ("of mine", first["nodes"])
    kept = (await gateway.get(path)).json()
    assert kept == {name: it for name, it in changed.items() if name != "problems"}
    assert (await gateway.get("/visualflows")).json() == [kept]
    assert (await gateway.client.delete(f"/api/gateway{path}")).json() == {
        "status": "deleted",
        "id": first["id"],
    }
    assert (await gateway.get(path)).json()["code"] == "flow_not_found"
    assert (await gateway.get("/visualflows")).json() == []


async def test_what_is_incomplete_is_kept_and_told_node_pin_and_edge(gateway: Gateway) -> None:
    body = drawn(
        "start -> odd -> end",
        "start -> end",
        "start.a => end.prompt",
        "start.b => end.prompt",
        odd=a_node("telepathy"),
    )
    told = {it["code"]: it for it in (await saved(gateway, body))["problems"]}
    assert (told["unknown_type"]["node_id"], told["unknown_type"]["type"]) == ("odd", "telepathy")
    assert (told["branching"]["node_id"], told["branching"]["pin"]) == ("start", "exec-out")
    assert (told["crowded_pin"]["node_id"], told["crowded_pin"]["pin"]) == ("end", "prompt")


@pytest.mark.parametrize(
    ("part", "status", "said"),
    [
        ({"nodes": [{"id": "a"}]}, 422, "nodes.0.type"),
        ({"nodes": [{"id": "a", "type": "code"}] * 2}, 400, "nodes.1.id"),
        ({"edges": [{"source": "start", "sourceHandle": "x", "target": "gone", "targetHandle": "y"}]}, 400, "edges.0.target"),
        ({"edges": [{"source": "start", "target": "end", "targetHandle": "y"}]}, 422, "edges.0.sourceHandle"),
        ({"nodes": [{"id": "a", "type": "code", "data": {"inputs": [{}]}}], "edges": []}, 422, "'a'"),
        ({"odd": 1}, 422, "odd"),
        ({"name": ""}, 422, "name"),
    ],
)  # fmt: skip
async def test_what_no_editor_could_show_is_refused(
    gateway: Gateway, part: dict[str, Any], status: int, said: str
) -> None:
    answer = await gateway.post("/visualflows", {**STRAIGHT, **part})
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text
    assert (await gateway.get("/visualflows")).json() == []


async def test_an_id_that_is_none_is_refused_and_an_unknown_one_is_not_there(
    gateway: Gateway,
) -> None:
    assert (await gateway.get("/visualflows/a%20b")).status_code == 400
    for method, path in (
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("GET", "/check"),
        ("POST", "/publish"),
    ):
        answer = await gateway.client.request(
            method, f"/api/gateway/visualflows/nope{path}", json={}
        )
        assert answer.status_code == 404, (method, path)


async def test_the_same_key_makes_one_drawing(gateway: Gateway) -> None:
    first = await saved(gateway, key="k")
    assert await saved(gateway, key="k") == first
    other = await gateway.post(
        "/visualflows", {**STRAIGHT, "name": "Other"}, headers={"idempotency-key": "k"}
    )
    assert other.json()["code"] == "idempotency_key_reused"


async def test_there_are_at_most_so_many_drawings(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert DRAWINGS_MAX == 1_000
    monkeypatch.setattr("perdure.features.flows.authoring.DRAWINGS_MAX", 1)
    await saved(gateway)
    assert (await gateway.post("/visualflows", STRAIGHT)).json()["code"] == "limit_reached"


async def test_versions_rise_by_themselves_and_tell_where_they_come_from(gateway: Gateway) -> None:
    flow_id = (await saved(gateway))["id"]
    refs = [(await published(gateway, flow_id))["bundle_ref"] for _ in range(3)]
    assert refs == ["My-flow@0.0.0", "My-flow@0.0.1", "My-flow@0.0.2"]
    row = (await gateway.get("/bundles/My-flow")).json()
    assert row["metadata"]["lineage"] == {
        "bundle_id": "My-flow", "bundle_version": "0.0.2", "origin_bundle_version": "0.0.0",
        "previous_bundle_version": "0.0.1",
    }  # fmt: skip
    assert row["metadata"]["lifecycle"] == {"channel": "published", "source": "abstractflow.editor"}
    assert row["metadata"]["source"]["root_flow_id"] == flow_id
    assert row["entrypoints"][0]["name"] == "My flow"


async def test_a_published_version_never_changes(gateway: Gateway) -> None:
    flow_id = (await saved(gateway))["id"]
    await published(gateway, flow_id, bundle_id="b", bundle_version="1.0.0")
    again = await gateway.post(
        f"/visualflows/{flow_id}/publish", {"bundle_id": "b", "bundle_version": "1.0.0"}
    )
    assert (again.status_code, again.json()["code"]) == (409, "bundle_exists")


async def test_what_is_published_at_once_writes_nothing_over(gateway: Gateway) -> None:
    """`overwrite` is for a version that somebody names; the next one is whoever's comes first."""
    ids = [(await saved(gateway, STRAIGHT | {"name": f"F{number}"}))["id"] for number in range(3)]
    answers: dict[str, str] = {}

    async def publish(flow_id: str) -> None:
        told = await published(gateway, flow_id, bundle_id="B", overwrite=True)
        answers[flow_id] = told["bundle_version"]

    async with anyio.create_task_group() as group:
        for flow_id in ids:
            group.start_soon(publish, flow_id)
    assert sorted(answers.values()) == ["0.0.0", "0.0.1", "0.0.2"]
    for flow_id, version in answers.items():
        shown = (await gateway.get(f"/bundles/B?bundle_version={version}")).json()
        assert shown["default_entrypoint"] == flow_id


async def test_the_same_key_publishes_once(gateway: Gateway) -> None:
    flow_id, key = (await saved(gateway))["id"], {"idempotency-key": "k"}
    told = [
        (await gateway.post(f"/visualflows/{flow_id}/publish", {}, headers=key)).json()
        for _ in range(2)
    ]
    assert told[0] == told[1]
    other = await gateway.post(
        f"/visualflows/{flow_id}/publish", {"bundle_version": "9"}, headers=key
    )
    assert other.json()["code"] == "idempotency_key_reused"


async def test_a_draft_is_published_beside_and_run_as_a_draft_alone(gateway: Gateway) -> None:
    flow_id = (await saved(gateway))["id"]
    told = await published(
        gateway, flow_id, bundle_version="draft.1", overwrite=True, reload_gateway=True
    )
    assert (told["bundle_version"], told["gateway_reloaded"]) == ("draft.1", True)
    names = {"bundle_id": told["bundle_id"], "bundle_version": "draft.1", "flow_id": flow_id}
    schema = await gateway.get(
        f"/bundles/{told['bundle_id']}/flows/{flow_id}/input_schema?bundle_version=draft.1"
    )
    assert [it["id"] for it in schema.json()["inputs"]] == ["prompt"]
    assert (await gateway.post("/runs/start", names)).status_code == 400
    started = {**names, "input_data": {"prompt": "hi"}, "run_lifecycle": {"purpose": "draft_test"}}
    run = (await gateway.post("/runs/start", started)).json()["run_id"]
    assert (await gateway.until(run, "completed"))["output"]["prompt"] == "hi"
    assert (await published(gateway, flow_id))["bundle_version"] == "0.0.0"


async def test_what_cannot_be_run_is_not_published(gateway: Gateway) -> None:
    flow_id = (await saved(gateway, drawn("start -> odd -> end", odd=a_node("telepathy"))))["id"]
    answer = await gateway.post(f"/visualflows/{flow_id}/publish", {"bundle_version": "draft.1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "flow_refused")
    assert (answer.json()["node_id"], answer.json()["node_type"]) == ("odd", "telepathy")
    checked = (await gateway.get(f"/visualflows/{flow_id}/check")).json()
    assert (checked["ok"], checked["problems"][0]["code"]) == (False, "unknown_type")
    assert [
        it["bundle_id"]
        for it in (await gateway.get("/bundles?include_drafts=true")).json()["items"]
    ] == ["ask", "straight"]


async def test_all_that_a_flow_runs_is_packed_with_it(gateway: Gateway) -> None:
    inner = (await saved(gateway))["id"]
    middle = (
        await saved(gateway, drawn("start -> sub -> end", sub=a_node("subflow", subflowId=inner)))
    )["id"]
    outer = await saved(
        gateway, drawn("start -> sub -> end", sub=a_node("subflow", subflowId=middle))
    )
    assert outer["problems"] == []
    told = await published(gateway, outer["id"])
    assert told["flows"] == sorted([inner, middle, outer["id"]])
    run = await gateway.start(f"{told['bundle_id']}:{outer['id']}", prompt="hi")
    await gateway.until(run, "completed")
    lost = await saved(
        gateway, drawn("start -> sub -> end", sub=a_node("subflow", subflowId="gone"))
    )
    assert [it["code"] for it in lost["problems"]] == ["missing_subflow"]


async def test_what_the_editor_asks_for_is_there(gateway: Gateway) -> None:
    contracts = (await gateway.get("/discovery/capabilities")).json()["capabilities"]["contracts"]
    editor = contracts["flow_editor"]
    assert (contracts["version"], editor["available"], "on_flow_start" in NODES) == (1, True, True)
    assert editor["visualflows"]["crud"] == {
        "available": True, "collection_endpoint": "/api/gateway/visualflows",
        "item_endpoint": "/api/gateway/visualflows/{flow_id}",
    }  # fmt: skip
    assert editor["visualflows"]["publish"]["available"]
    assert editor["run_input_schema"]["endpoint"]
    for name in ("start", "list", "summary", "input_data", "history_bundle", "commands"):
        assert contracts["common"]["runs"][name]["available"], name


async def test_each_change_is_on_record_with_what_it_changed(gateway: Gateway) -> None:
    flow_id = (await saved(gateway))["id"]
    await published(gateway, flow_id)
    kept = [it.body for it in await gateway.runtime.plane.audit.pending(limit=100)]
    carried = b"".join(kept) + (await gateway.get("/audit?limit=50")).content
    assert flow_id.encode() in carried


async def test_a_run_ends_with_the_bytes_that_it_began_with(gateway: Gateway) -> None:
    waiting = await gateway.start("ask:main", prompt="Who?")
    await gateway.until(waiting, "waiting")
    flow_id = (await saved(gateway))["id"]
    await published(gateway, flow_id, bundle_id="ask", bundle_version="1.0.0", overwrite=True)
    gateway.runtime._bundles.clear()
    gateway.runtime._programs.clear()
    await gateway.command(waiting, "resume", payload={"payload": {"response": "me"}})
    assert (await gateway.until(waiting, "completed"))["output"]["said"] == "me"
    after = await gateway.start(f"ask:{flow_id}", prompt="new")
    assert (await gateway.until(after, "completed"))["output"]["prompt"] == "new"


async def test_a_changed_file_takes_no_new_runs_and_touches_none_that_goes_on(
    gateway: Gateway,
) -> None:
    waiting = await gateway.start("ask:main", prompt="Who?")
    await gateway.until(waiting, "waiting")
    (facts,) = (it for it in await gateway.runtime.plane.bundles.list() if it.bundle_id == "ask")
    folder = gateway.runtime.workspaces.parent / "artifacts"
    (path,) = folder.rglob(facts.sha256)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"ask_user", b"ask_USER"))
    refused = await gateway.post("/runs/start", {"flow_id": "ask:main"})
    assert (refused.status_code, refused.json()["code"]) == (409, "digest_mismatch")
    await gateway.command(waiting, "resume", payload={"payload": {"response": "me"}})
    assert (await gateway.until(waiting, "completed"))["output"]["said"] == "me"
    path.write_bytes(content)
    assert (await gateway.post("/runs/start", {"flow_id": "ask:main"})).status_code == 200
    assert read_bundle(content).sha256 == facts.sha256


@pytest.mark.parametrize(
    ("versions", "following"),
    [((), "0.0.0"), (("0.0.9",), "0.0.10"), (("1.2", "1.1.9"), "1.2.1"), (("2",), "2.0.1"), (("beta",), "beta.1"),
     (("draft.1",), "0.0.0")],
)  # fmt: skip
def test_the_next_version_follows_the_newest(versions: tuple[str, ...], following: str) -> None:
    installed = {it: Installed("b", it, BundleSha(""), 1, AT, AT, {}) for it in versions}
    assert next_version(installed) == following
