"""Artifacts over HTTP: lists that clients can read even when empty, and bytes that no browser runs."""

from typing import Any

import pytest

from perdure.services.artifacts import owner_of
from perdure.stores.artifacts import Artifact
from tests.support.gateway import Gateway

pytestmark = pytest.mark.anyio
AT = "2026-01-01T00:00:00.000000+00:00"
PAGE = {
    "items",
    "total",
    "offset",
    "limit",
    "has_more",
    "cursor",
    "next_cursor",
    "facets",
    "stats",
    "warnings",
}


async def kept(
    gateway: Gateway, owner: str, content_type: str = "text/html", **tags: Any
) -> Artifact:
    """A page of HTML that `owner` owns."""
    content = b"<script>alert(1)</script>" if content_type == "text/html" else content_type.encode()
    return await gateway.runtime.plane.artifacts.put(
        content, owner=owner, content_type=content_type, at=AT, tags=tags
    )


async def test_an_unknown_session_owns_nothing(gateway: Gateway) -> None:
    for path in ("/runs/session_memory_obs_1/artifacts?limit=800", "/sessions/obs_1/artifacts"):
        answer = await gateway.get(path)
        assert answer.status_code == 200
        assert set(answer.json()) == PAGE
        assert (answer.json()["items"], answer.json()["total"]) == ([], 0)


async def test_a_session_s_memory_is_no_run(gateway: Gateway) -> None:
    for path in (
        "",
        "/ledger",
        "/ledger/stream",
        "/input_data",
        "/history_bundle",
        "/state",
        "/verify",
    ):
        answer = await gateway.get(f"/runs/session_memory_obs_1{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found"), path


async def test_an_artifact_is_told_with_its_reference_and_its_links(gateway: Gateway) -> None:
    artifact = await kept(gateway, owner_of("S"), filename="a b.html", session_id="S")
    (item,) = (await gateway.get("/sessions/S/artifacts")).json()["items"]
    assert item["ref"]["$artifact"] == item["artifact_id"] == artifact.id
    assert (item["filename"], item["size_bytes"], item["modality"]) == ("a b.html", 25, "text")
    told = (await gateway.client.get(item["links"]["detail"])).json()
    assert told["artifact_envelope_v1"]["schema"] == "abstractgateway.artifact_envelope.v1"
    assert {**told, "artifact_envelope_v1": None} == item


async def test_bytes_come_as_they_are_and_are_never_run(gateway: Gateway) -> None:
    artifact = await kept(gateway, owner_of("S"), filename="ä b.html")
    path = f"/runs/{owner_of('S')}/artifacts/{artifact.id}/content"
    answer = await gateway.get(path)
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-type"] == "text/html"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "content-disposition" not in answer.headers
    download = await gateway.get(f"{path}?access=download")
    disposition = download.headers["content-disposition"]
    assert disposition == "attachment; filename*=UTF-8''%C3%A4%20b.html"
    assert (await gateway.get(f"{path}?access=odd")).status_code == 400


async def test_another_session_s_artifact_is_not_there(gateway: Gateway) -> None:
    artifact = await kept(gateway, owner_of("S"))
    answer = await gateway.get(f"/runs/{owner_of('T')}/artifacts/{artifact.id}")
    unknown = await gateway.get(f"/runs/{owner_of('T')}/artifacts/{'0' * len(artifact.id)}")
    assert answer.status_code == unknown.status_code == 404
    same = [{**it.json(), "instance": ""} for it in (answer, unknown)]
    assert same[0] == same[1]


async def test_pages_of_artifacts_are_bounded(gateway: Gateway) -> None:
    for name in ("a", "b", "c"):
        await kept(gateway, owner_of("S"), content_type=f"text/{name}")
    page = (await gateway.get("/sessions/S/artifacts?limit=2&offset=0")).json()
    assert (len(page["items"]), page["total"], page["has_more"]) == (2, 3, True)
    last = (await gateway.get("/sessions/S/artifacts?limit=2&offset=2")).json()
    assert (len(last["items"]), last["has_more"]) == (1, False)
    for query in ("limit=0", "limit=1001", "offset=-1"):
        assert (await gateway.get(f"/sessions/S/artifacts?{query}")).status_code == 400
