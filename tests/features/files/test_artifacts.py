"""Files as artifacts and artifacts as files, on either database."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from perdure.features.files.effects import bytes_of
from perdure.features.files.feature import files_feature
from perdure.features.files.pdf.bounds import PdfBounds
from perdure.features.files.pdf.pdfs import Pdfs
from perdure.ids import Key, RunId, SessionId, StepId
from perdure.kernel.draft import born
from perdure.kernel.model import Effect, Failed, Guard, Ok, Outcome, Point
from perdure.registry.effects import EffectContext
from perdure.services.artifacts import owner_of
from perdure.stores.runs import Commit
from tests.support.builders import a_birth
from tests.support.clock import FakeClock
from tests.support.planes import DATABASES, Store, a_store

pytestmark = pytest.mark.anyio
FEATURE = files_feature(Pdfs(PdfBounds()))
RUN = a_birth()
AT = "2026-01-01T00:00:00.000000+00:00"


@pytest.fixture(params=DATABASES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A fresh plane."""
    async with a_store(request.param, tmp_path) as opened:
        yield opened


async def do(kind: str, store: Store, folder: Path, run: Any = RUN, **payload: Any) -> Outcome:
    """Perform one effect for a run of this plane."""
    context = EffectContext(
        run=run, step_id=StepId("s"), key=Key("k"), attempt=1, clock=FakeClock(), http=cast(Any, None),
        plane=store.plane, publish=lambda delta: None, workspaces=folder / "workspaces",
    )  # fmt: skip
    return await FEATURE.effects[kind].handle(Effect(kind, payload, "0", "node"), context)


async def test_a_file_becomes_an_artifact_and_a_file_again(store: Store, tmp_path: Path) -> None:
    await do("write_file", store, tmp_path, file_path="a.json", content={"k": 1})
    made = await do("import_workspace_file", store, tmp_path, file_path="a.json")
    assert isinstance(made, Ok)
    ref = made.result["artifact"]
    assert made.result["content_type"] == "application/json"
    assert made.result["size_bytes"] == len(bytes_of({"k": 1}))
    again = await do("import_workspace_file", store, tmp_path, file_path="a.json")
    assert again == made, "the same bytes are the same artifact"
    read = await do("read_artifact", store, tmp_path, artifact=ref)
    assert isinstance(read, Ok)
    assert (read.result["json"], read.result["is_binary"]) == ({"k": 1}, False)
    written = await do(
        "export_artifact", store, tmp_path, artifact=ref["$artifact"], file_path="b/c"
    )
    assert isinstance(written, Ok)
    assert written.result["sha256"] == sha256(bytes_of({"k": 1})).hexdigest()
    content = await do("read_file", store, tmp_path, file_path="b/c")
    assert isinstance(content, Ok)
    assert content.result["content"] == bytes_of({"k": 1}).decode()


async def test_an_artifact_of_the_session_is_read_and_one_of_another_run_is_not(
    store: Store, tmp_path: Path
) -> None:
    of_session = await store.plane.artifacts.put(
        b"\xff", owner=owner_of(RUN.session_id), content_type="image/png", at=AT
    )
    read = await do("read_artifact", store, tmp_path, artifact={"$artifact": of_session.id})
    assert isinstance(read, Ok)
    assert (read.result["is_binary"], read.result["binary_base64"]) == (True, "/w==")
    stranger = replace(RUN, id=RunId("o"), root_id=RunId("o"), session_id=SessionId("o"))
    refused = await do("read_artifact", store, tmp_path, stranger, artifact=of_session.id)
    assert refused == Failed("not_found", f"the run has no artifact {of_session.id!r}")


async def test_a_fork_and_what_is_below_it_read_the_artifacts_that_their_cells_name(
    store: Store, tmp_path: Path
) -> None:
    """Of the run that it was forked from, of that one's session, and so on back."""
    first, origin = a_birth("first", session_id="S"), a_birth("origin", session_id="T")
    origin = replace(origin, forked_from=Point(first.id, 0), guard=Guard.ASK)
    fork = a_birth("fork", forked_from=Point(origin.id, 0), guard=Guard.ASK, session_id="U")
    child = a_birth("child", root_id=fork.id, session_id="U", guard=Guard.ASK)
    for birth in (first, origin, fork):
        await store.plane.runs.commit(Commit(born(birth, {})))
    for owner in (first.id, owner_of("S"), origin.id, owner_of("T")):
        kept = await store.plane.artifacts.put(
            owner.encode(), owner=owner, content_type="text/plain", at=AT
        )
        for run in (fork, child):
            read = await do("read_artifact", store, tmp_path, run, artifact=kept.id)
            assert isinstance(read, Ok), (owner, run.id)
            assert read.result["text"] == owner


@pytest.mark.parametrize("named", [None, "", 7, {}, {"$artifact": 7}])
async def test_what_names_no_artifact_is_refused(store: Store, tmp_path: Path, named: Any) -> None:
    refused = await do("read_artifact", store, tmp_path, artifact=named)
    assert refused == Failed("not_found", "there is no artifact to read")


async def test_an_artifact_is_not_written_out_of_the_workspace(
    store: Store, tmp_path: Path
) -> None:
    kept = await store.plane.artifacts.put(b"x", owner=RUN.id, content_type="text/plain", at=AT)
    for path in ("../x", "/x"):
        refused = await do("export_artifact", store, tmp_path, artifact=kept.id, file_path=path)
        assert isinstance(refused, Failed)
