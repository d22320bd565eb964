"""Artifacts are shown to whoever owns them: a run, its session, and nobody else."""

import pytest

from perdure.errors import ArtifactNotFound, RunNotFound
from perdure.ids import ArtifactId, RunId, SessionId
from perdure.services import artifacts
from perdure.services.artifacts import owner_of
from perdure.stores.artifacts import Artifact
from tests.support.gateway import Gateway

pytestmark = pytest.mark.anyio
AT = "2026-01-01T00:00:00.000000+00:00"


async def a_run(gateway: Gateway, session: str) -> RunId:
    """A run of a session that has ended."""
    body = {"flow_id": "straight:main", "session_id": session, "input_data": {"prompt": "hi"}}
    run_id = (await gateway.post("/runs/start", body)).json()["run_id"]
    await gateway.until(run_id, "completed")
    return RunId(run_id)


async def kept(gateway: Gateway, owner: str, content: bytes = b"bytes") -> Artifact:
    """Bytes that `owner` owns."""
    return await gateway.runtime.plane.artifacts.put(
        content, owner=owner, content_type="text/plain", at=AT
    )


def test_the_owner_of_a_session_s_artifacts_is_as_clients_compute_it() -> None:
    assert owner_of("obs_1-a") == "session_memory_obs_1-a"
    assert owner_of("a b") == "session_memory_sha_c8687a08aa5d6ed2044328fa6a697ab8"
    assert owner_of("") == "session_memory_sha_e3b0c44298fc1c149afbf4c8996fb924"


async def test_a_run_shows_its_own_and_its_session_s(gateway: Gateway) -> None:
    run_id = await a_run(gateway, "S")
    own, shared = await kept(gateway, run_id), await kept(gateway, owner_of("S"), b"shared")
    for artifact in (own, shared):
        assert await artifacts.get(gateway.runtime, run_id, artifact.id) == artifact
    page = await artifacts.of_run(gateway.runtime, run_id, limit=10, offset=0)
    assert ([it.id for it in page.items], page.total) == ([own.id], 1)


async def test_another_run_does_not_see_them(gateway: Gateway) -> None:
    artifact = await kept(gateway, await a_run(gateway, "S"))
    other = await a_run(gateway, "T")
    with pytest.raises(ArtifactNotFound):
        await artifacts.get(gateway.runtime, other, artifact.id)


async def test_a_fork_shows_what_the_run_that_it_was_forked_from_shows(gateway: Gateway) -> None:
    origin = await a_run(gateway, "S")
    own, shared = await kept(gateway, origin), await kept(gateway, owner_of("S"), b"shared")
    strange = await kept(gateway, owner_of("T"), b"strange")
    fork = origin
    for _ in range(2):
        made = await gateway.post(f"/runs/{fork}/fork", {"from_seq": 0})
        fork = RunId(made.json()["run_id"])
    for artifact in (own, shared):
        assert await artifacts.get(gateway.runtime, fork, artifact.id) == artifact
    with pytest.raises(ArtifactNotFound):
        await artifacts.get(gateway.runtime, fork, strange.id)


async def test_a_session_is_an_owner_by_its_name(gateway: Gateway) -> None:
    shared = await kept(gateway, owner_of("S"))
    owner = RunId(owner_of("S"))
    page = await artifacts.of_session(gateway.runtime, SessionId("S"), limit=10, offset=0)
    same = await artifacts.of_run(gateway.runtime, owner, limit=10, offset=0)
    assert [it.id for it in page.items] == [it.id for it in same.items] == [shared.id]
    assert await artifacts.get(gateway.runtime, owner, shared.id) == shared


async def test_of_an_unknown_session_there_is_nothing(gateway: Gateway) -> None:
    page = await artifacts.of_run(
        gateway.runtime, RunId("session_memory_never"), limit=10, offset=0
    )
    assert (list(page.items), page.total) == ([], 0)
    with pytest.raises(RunNotFound):
        await artifacts.of_run(gateway.runtime, RunId("never"), limit=10, offset=0)


async def test_the_bytes_are_those_that_were_kept(gateway: Gateway) -> None:
    run_id = await a_run(gateway, "S")
    artifact = await kept(gateway, run_id, b"x" * 200_000)
    pieces = await artifacts.content(gateway.runtime, run_id, artifact, 0, artifact.size_bytes)
    assert b"".join([piece async for piece in pieces]) == b"x" * 200_000


async def test_the_flow_of_a_run_can_be_read_as_an_artifact(gateway: Gateway) -> None:
    run_id = await a_run(gateway, "S")
    bundle = (await gateway.get(f"/runs/{run_id}/history_bundle")).json()
    named = ArtifactId(bundle["workflow_snapshot"]["artifact_id"])
    found = await artifacts.get(gateway.runtime, run_id, named)
    pieces = await artifacts.content(gateway.runtime, run_id, found, 0, found.size_bytes)
    content = b"".join([piece async for piece in pieces])
    assert found.sha256 == bundle["workflow_snapshot"]["sha256"]
    assert b'"on_flow_start"' in content
    with pytest.raises(ArtifactNotFound):
        await artifacts.get(gateway.runtime, run_id, ArtifactId(f"{named}0"))
