"""An export is a zip that any reader opens, and names all that is in it with its digest."""

import io
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import orjson
import pytest

from perdure.services.exports import FORMAT, MANIFEST, Packing, export
from tests.support.branches import Branches, Do
from tests.support.running import Acted, Stage, always, running


def test_what_is_packed_is_a_zip_with_the_digest_of_all_of_it_at_its_end() -> None:
    packing = Packing()
    content = b"".join(packing.add("a/b.txt", iter([b"one ", b"two"]))) + packing.close()
    assert content[-64:] == sha256(content[:-64]).hexdigest().encode()
    assert packing.entries == {"a/b.txt": sha256(b"one two").hexdigest()}
    with ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("a/b.txt") == b"one two"
        assert archive.testzip() is None


@pytest.mark.anyio
async def test_the_manifest_names_every_entry(tmp_path: Path) -> None:
    stage = Stage({"run": Branches((Do(),))}, {"echo": always(Acted())})
    async with running(tmp_path, stage) as on_stage:
        run_id = await on_stage.start(cells={"in/large": "x" * 100_000})
        header = await on_stage.until(run_id)
        pieces = [piece async for piece in await export(on_stage.runtime, run_id)]
    with ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        manifest = orjson.loads(archive.read(MANIFEST))
        assert (manifest["format"], manifest["root"]) == (FORMAT, run_id)
        assert {*manifest["entries"], MANIFEST} == set(archive.namelist())
        lines = archive.read(f"runs/{run_id}/ledger.jsonl").splitlines()
        assert len(lines) == header.seq
        assert len(manifest["artifacts"]) == 1
