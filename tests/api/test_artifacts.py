"""Artifacts over HTTP: lists that clients can read even when empty, and bytes that no browser runs."""

from pathlib import Path
from typing import Any

import pytest

from perdure.adapters.sql import artifact_search
from perdure.api.collaborators import ApiSettings
from perdure.services.artifacts import owner_of
from perdure.stores.artifacts import Artifact
from tests.support.gateway import Gateway, Options, a_gateway

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
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("attachment;")
    preview = await gateway.get(f"{path}?access=preview")
    assert preview.headers["content-disposition"].startswith("inline;")
    assert "sandbox" in preview.headers["content-security-policy"]
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


async def uploaded(
    gateway: Gateway, content: bytes = b"hello", key: str | None = None, **form: str
) -> Any:
    """Send a file as clients do; the answer."""
    return await gateway.client.post(
        "/api/gateway/attachments/upload", files={"file": ("a b.txt", content, "text/html")},
        data={"session_id": "S", **form}, headers={} if key is None else {"idempotency-key": key},
    )  # fmt: skip


async def test_a_file_that_is_sent_is_its_session_s_and_of_the_type_that_it_shows(
    gateway: Gateway,
) -> None:
    told = (
        await uploaded(gateway, b"\x89PNG\r\n\x1a\nrest", source_path="client:x/a b.txt")
    ).json()
    assert (told["ok"], told["run_id"], told["attachment"]) == (
        True,
        owner_of("S"),
        told["artifact"],
    )
    assert told["artifact"]["$artifact"] == told["metadata"]["artifact_id"]
    tags = told["metadata"]["tags"]
    assert (tags["kind"], tags["path"], tags["session_id"]) == (
        "attachment",
        "client:x/a b.txt",
        "S",
    )
    assert (told["metadata"]["content_type"], told["metadata"]["modality"]) == (
        "image/png",
        "image",
    )
    (item,) = (await gateway.get("/sessions/S/artifacts")).json()["items"]
    assert (item["filename"], item["semantic_kind"], item["session_id"]) == (
        "a b.txt",
        "attachment",
        "S",
    )
    content = await gateway.client.get(item["links"]["content"])
    assert content.headers["content-disposition"].startswith("inline;")
    started = await gateway.post(
        "/runs/start",
        {"flow_id": "straight:main", "session_id": "S", "input_data": {"prompt": told["artifact"]}},
    )
    assert started.status_code == 200


async def test_the_same_file_under_the_same_key_is_the_same_and_another_is_refused(
    gateway: Gateway,
) -> None:
    first = (await uploaded(gateway, key="k")).json()
    assert (await uploaded(gateway, key="k")).json() == first
    other = await uploaded(gateway, b"other", key="k")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_the_quota_is_told(tmp_path: Path) -> None:
    settings = ApiSettings(access_logged=False, artifact_quota_bytes=5)
    async with a_gateway(tmp_path, Options(settings=settings, runs=False)) as gateway:
        assert (await uploaded(gateway, b"12345")).status_code == 200
        refused = await uploaded(gateway, b"6")
        assert (refused.status_code, refused.json()["code"], refused.json()["quota_bytes"]) == (
            413,
            "quota_reached",
            5,
        )


async def test_one_part_of_the_bytes_is_given(gateway: Gateway) -> None:
    told = (await uploaded(gateway, b"0123456789")).json()
    path = told["metadata"]["links"]["content"]
    whole = await gateway.client.get(path)
    assert (whole.headers["content-length"], whole.headers["accept-ranges"]) == ("10", "bytes")
    part = await gateway.client.get(path, headers={"range": "bytes=2-4"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (
        206,
        b"234",
        "bytes 2-4/10",
    )
    same = await gateway.client.get(
        path, headers={"range": "bytes=-1", "if-range": whole.headers["etag"]}
    )
    assert (same.status_code, same.content) == (206, b"9")
    beyond = await gateway.client.get(path, headers={"range": "bytes=10-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")


async def test_artifacts_are_found_in_their_scope_and_counted(gateway: Gateway) -> None:
    for session, content in (("S", b"one"), ("S", b"three"), ("T", b"two")):
        await uploaded(gateway, content, session_id=session, filename=f"{content.decode()}.txt")
    found = (
        await gateway.get("/artifacts/search?query=THREE&include_stats=true&tags=kind=attachment")
    ).json()
    assert set(found) >= PAGE
    assert [it["filename"] for it in found["items"]] == ["three.txt"]
    assert (found["facets"]["modality"], found["stats"]["total"]) == ({"text": 1}, 1)
    assert found["filters"] == {"scope": "all", "query": "THREE", "tags": "kind=attachment"}
    session = (
        await gateway.get(
            "/artifacts/search?scope=session&session_id=S&limit=1&order_by=size_bytes"
        )
    ).json()
    assert (session["total"], session["has_more"], session["items"][0]["filename"]) == (
        2,
        True,
        "three.txt",
    )
    follows = (
        await gateway.get(
            f"/artifacts/search?scope=session&session_id=S&limit=1&order_by=size_bytes&cursor={session['next_cursor']}"
        )
    ).json()
    assert ([it["filename"] for it in follows["items"]], follows["has_more"]) == (
        ["one.txt"],
        False,
    )
    assert found["has_more"] is False and found["warnings"] == []
    stats = (await gateway.get("/artifacts/stats?content_type=text/*")).json()
    assert (stats["ok"], stats["total"], stats["total_bytes"]) == (True, 3, 11)
    for query in ("scope=run", "tags=nonsense", "order_by=odd", "cursor=%3F"):
        assert (await gateway.get(f"/artifacts/search?{query}")).status_code == 400, query


async def test_a_count_that_ends_at_its_bound_says_so(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_search, "COUNTED_MAX", 1)
    for content in (b"one", b"two"):
        await uploaded(gateway, content, session_id="S", filename="f.txt")
    for path in ("search?limit=1", "stats"):
        told = (await gateway.get(f"/artifacts/{path}")).json()
        assert told["total"] == 1 and "more than 1" in told["warnings"][0]


async def test_the_step_that_made_a_value_is_told(gateway: Gateway) -> None:
    run = await gateway.start("ask:main", prompt="x" * 200_000)
    await gateway.until(run, "waiting")
    items = (await gateway.get(f"/artifacts/search?scope=run&run_id={run}")).json()["items"]
    made = [it for it in items if it["ledger_cursor"] is not None]
    assert {it["workflow_id"] for it in items} == {"ask@1.0.0:main"}
    assert made
    for item in made:
        record = (
            await gateway.get(f"/runs/{run}/ledger?after={item['ledger_cursor'] - 1}&limit=1")
        ).json()["items"][0]
        assert (record["step_id"], record["node_id"]) == (item["step_id"], item["node_id"])


async def test_the_policy_says_how_much_may_be_sent(gateway: Gateway) -> None:
    policy = (await gateway.get("/workspace/policy")).json()["policy"]
    assert (policy["max_attachment_bytes"], policy["target"]) == (25 * 1024 * 1024, "server")
    contracts = (await gateway.get("/discovery/capabilities")).json()["capabilities"]["contracts"]
    upload = contracts["common"]["attachments"]
    assert (upload["upload"]["available"], upload["max_upload_bytes"]) == (True, 25 * 1024 * 1024)
    assert contracts["common"]["artifacts"]["search"]["available"]
