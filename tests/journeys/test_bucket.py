"""An installation that keeps artifacts and bundles in a bucket: nothing of them is on its disk, and all is there again."""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from perdure.errors import Invalid
from tests.support.buckets import Served, a_bucket
from tests.support.built import Built, built

pytestmark = pytest.mark.anyio


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Served]:
    """A bucket."""
    with a_bucket(tmp_path / "server", monkeypatch) as bucket:
        yield bucket


async def uploaded(it: Built, content: bytes) -> str:
    """The path of a file that was sent to a session."""
    answer = await it.client.post(
        "/api/gateway/attachments/upload",
        data={"session_id": "S"},
        files={"file": ("f.bin", content)},
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()
    return f"/api/gateway/runs/{told['run_id']}/artifacts/{told['metadata']['artifact_id']}/content"


async def test_what_is_kept_lies_in_the_bucket_and_is_read_from_it(
    served: Served, tmp_path: Path
) -> None:
    content = b"0123456789" * 30_000
    async with built(tmp_path / "data", artifacts_url=served.url) as it:
        path = await uploaded(it, content)
        run = (await it.start("ask-first", prompt="x" * 100_000)).json()["run_id"]
        part = await it.client.get(path, headers={"range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, b"0123456789")
    async with built(tmp_path / "data", artifacts_url=served.url) as it:
        assert (await it.client.get(path)).content == content
        assert (await it.get(f"/runs/{run}/artifacts"))["total"] > 0
        assert (await it.get(f"/runs/{run}/input_data"))["input_data"] == {"prompt": "x" * 100_000}
    assert not [*(tmp_path / "data").rglob("artifacts")]
    prefix = served.objects / "some/prefix/planes/default/admin"
    assert [it for it in prefix.rglob("*") if it.is_file() and it.stat().st_size == len(content)]


async def test_an_installation_without_its_bucket_says_so(served: Served, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="s3://bucket/prefix"):
        async with built(tmp_path / "data", artifacts_url="file:///etc"):
            pass


async def test_what_reaches_a_bucket_has_to_be_installed(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("perdure.adapters.bucket.buckets")
    monkeypatch.setitem(sys.modules, "perdure.adapters.bucket.buckets", None)
    with pytest.raises(Invalid, match=r"perdure\[s3\]"):
        async with built(tmp_path / "data", artifacts_url=served.url):
            pass
