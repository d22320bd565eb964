"""Bundles over HTTP: the fields that clients read, uploads that are whole or not at all, and marks."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.gateway import (
    Gateway,
    a_gateway,
    a_straight_bundle,
    an_asking_bundle,
    packed,
    shipped,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway with one bundle, `ask`."""
    async with a_gateway(tmp_path) as one:
        await one.install(an_asking_bundle(id="ask"))
        yield one


async def upload(gateway: Gateway, content: bytes, **form: Any) -> httpx2.Response:
    """Send a bundle as clients do."""
    files = {"file": ("a.flow", content, "application/zip")}
    return await gateway.client.post("/api/gateway/bundles/upload", files=files, data=form)


async def ids(gateway: Gateway, query: str = "") -> list[str]:
    """What is listed."""
    items = (await gateway.get(f"/bundles{query}")).json()["items"]
    return [item["bundle_ref"] for item in items]


async def test_a_row_has_every_field_that_clients_read(gateway: Gateway) -> None:
    told = (await gateway.get("/bundles")).json()
    (row,) = told["items"]
    assert told["default_bundle_id"] == "ask"
    assert (row["bundle_id"], row["bundle_version"], row["bundle_ref"]) == (
        "ask",
        "1.0.0",
        "ask@1.0.0",
    )
    assert (row["registry_scope"], row["version_channel"]) == ("private", "published")
    assert (row["is_draft"], row["is_published"]) == (False, True)
    assert (row["latest_published_version"], row["latest_any_version"]) == ("1.0.0", "1.0.0")
    assert row["entrypoints"] == [{
        "flow_id": "main", "name": "main", "description": "", "interfaces": [],
        "workflow_id": "ask@1.0.0:main", "deprecated": False, "deprecated_at": None, "deprecated_reason": None,
    }]  # fmt: skip
    assert {"metadata", "created_at", "default_entrypoint", "actions"} <= set(row)


async def test_a_detail_adds_inputs_nodes_and_flows(gateway: Gateway) -> None:
    told = (await gateway.get("/bundles/ask")).json()
    assert told["flows"] == ["main"]
    (entry,) = told["entrypoints"]
    assert entry["inputs"] == [{"id": "prompt", "label": "prompt", "type": "any"}]
    assert entry["node_index"]["ask"] == {"type": "ask_user", "label": "ask"}
    assert (await gateway.get("/bundles/ask?bundle_version=9")).status_code == 404
    assert (await gateway.get("/bundles/nope")).json()["code"] == "bundle_not_found"


async def test_a_flow_and_its_inputs_can_be_read(gateway: Gateway) -> None:
    names = {"bundle_id", "bundle_version", "bundle_ref", "flow_id", "workflow_id"}
    flow = (await gateway.get("/bundles/ask/flows/main")).json()
    assert names | {"flow"} == set(flow)
    assert {"nodes", "edges"} <= set(flow["flow"])
    schema = (await gateway.get("/bundles/ask/flows/main/input_schema")).json()
    assert names | {"version", "inputs", "defaults", "input_data_schema"} == set(schema)
    assert schema["input_data_schema"]["required"] == ["prompt"]
    assert (await gateway.get("/bundles/ask/flows/nope")).json()["code"] == "flow_not_found"


async def test_an_upload_is_there_at_once_and_twice_is_as_good_as_once(gateway: Gateway) -> None:
    for _ in range(2):
        told = (await upload(gateway, packed(a_straight_bundle(id="new")))).json()
        assert (told["ok"], told["bundle_ref"], told["gateway_reloaded"]) == (
            True,
            "new@1.0.0",
            True,
        )
        assert told["entrypoints"] == [
            {"flow_id": "main", "name": "main", "description": "", "interfaces": []}
        ]
        assert (len(told["sha256"]), told["gateway_reload_error"]) == (64, None)
    assert await ids(gateway) == ["ask@1.0.0", "new@1.0.0"]


async def test_a_version_is_replaced_only_where_that_is_wished(gateway: Gateway) -> None:
    other = packed(a_straight_bundle(id="ask"))
    refused = await upload(gateway, other)
    assert (refused.status_code, refused.json()["code"]) == (409, "bundle_exists")
    assert (await upload(gateway, other, overwrite="true", reload="false")).status_code == 200


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"no zip", "not_a_zip"), (b"", "not_a_zip"), (packed(an_asking_bundle())[:-30], "damaged")],
)
async def test_what_is_no_bundle_is_refused_with_the_reason(
    gateway: Gateway, content: bytes, reason: str
) -> None:
    answer = await upload(gateway, content)
    assert (answer.status_code, answer.json()["code"]) == (422, "bundle_refused")
    assert answer.json()["reason"] in (reason, "not_a_zip")
    assert await ids(gateway) == ["ask@1.0.0"]


async def test_a_form_without_a_file_is_refused(gateway: Gateway) -> None:
    path = "/api/gateway/bundles/upload"
    forms: list[dict[str, Any]] = [
        {"data": {"overwrite": "true"}},
        {"files": {"other": b"x"}},
        {"json": {}},
        {},
    ]
    for sent in forms:
        assert (await gateway.client.post(path, **sent)).status_code == 422, sent
    broken = {"content-type": "multipart/form-data; boundary=b"}
    answer = await gateway.client.post(path, content=b"no form", headers=broken)
    assert answer.status_code in (400, 422)


async def test_what_is_deprecated_takes_no_new_runs_and_can_be_brought_back(
    gateway: Gateway,
) -> None:
    marked = (await gateway.post("/bundles/ask/deprecate", {"reason": "old"})).json()
    assert (marked["ok"], marked["flow_id"], marked["reason"]) == (True, "*", "old")
    assert marked["deprecated_at"].endswith("Z")
    assert await ids(gateway) == []
    assert await ids(gateway, "?include_deprecated=true") == ["ask@1.0.0"]
    refused = await gateway.post("/runs/start", {"flow_id": "ask:main"})
    assert (refused.status_code, refused.json()["code"]) == (409, "deprecated")
    assert "old" in refused.json()["detail"]
    told = (await gateway.post("/bundles/ask/undeprecate")).json()
    assert told == {"ok": True, "bundle_id": "ask", "flow_id": "*", "removed": True}
    assert (await gateway.post("/runs/start", {"flow_id": "ask:main"})).status_code == 200


async def test_only_what_is_there_can_be_marked(gateway: Gateway) -> None:
    assert (await gateway.post("/bundles/nope/deprecate")).status_code == 404
    assert (await gateway.post("/bundles/ask/deprecate", {"flow_id": "nope"})).status_code == 404
    assert (await gateway.post("/bundles/ask/deprecate", {"reason": 5})).status_code == 422


async def test_a_bundle_is_removed_and_the_rest_stays(gateway: Gateway) -> None:
    await gateway.install(an_asking_bundle(id="ask", version="2.0.0"))
    told = (await gateway.client.delete("/api/gateway/bundles/ask?bundle_version=2.0.0")).json()
    assert (told["ok"], told["bundle_ref"], told["removed"]) == (True, "ask@2.0.0", 1)
    assert await ids(gateway) == ["ask@1.0.0"]
    assert (await gateway.client.delete("/api/gateway/bundles/nope")).status_code == 404


async def test_reloading_tells_what_is_installed(gateway: Gateway) -> None:
    told = (await gateway.post("/bundles/reload")).json()
    assert told == {"ok": True, "bundle_ids": ["ask"], "count": 1}


@pytest.mark.parametrize("name", ["ask-first", "basic-agent", "basic-llm", "two-timers"])
async def test_the_shipped_bundles_can_be_uploaded(gateway: Gateway, name: str) -> None:
    told = (await upload(gateway, shipped(name))).json()
    assert told["ok"], told
    assert name in [ref.partition("@")[0] for ref in await ids(gateway)]
