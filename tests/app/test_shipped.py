"""The bundles that come with the program are there at every start, beside whatever else is."""

from pathlib import Path

import pytest

from perdure.app.shipped import CHECKOUT, folder_files, shipped_bundles
from perdure.bundles.codec import read_bundle
from tests.support.built import Built, built
from tests.support.drawing import a_bundle, a_flow, a_start, an_end
from tests.support.gateway import packed

pytestmark = pytest.mark.anyio
NAMES = {"ask-first", "basic-agent", "basic-llm", "two-timers"}
BUNDLES = "/api/gateway/bundles"


async def listed(it: Built, **query: str) -> dict[str, str]:
    """The bundles that are listed, with their versions."""
    items = (await it.get("/bundles", **query))["items"]
    return {item["bundle_id"]: item["bundle_version"] for item in items}


async def upload(it: Built, content: bytes) -> None:
    """Install a bundle of one's own."""
    files = {"file": ("own.flow", content)}
    answer = await it.client.post(f"{BUNDLES}/upload", files=files)
    assert answer.status_code == 200, answer.text


def test_each_is_whole_and_named_as_its_folder() -> None:
    found = {read_bundle(content).manifest.bundle_id for content in shipped_bundles()}
    assert found == NAMES == {path.name for path in CHECKOUT.iterdir() if path.is_dir()}


def test_the_same_folder_is_the_same_bytes() -> None:
    assert list(shipped_bundles()) == list(shipped_bundles())


def test_what_does_not_belong_into_a_bundle_is_left_out(tmp_path: Path) -> None:
    for name in ("manifest.json", "flows/a.json", "assets/deep/b.txt", "README.md", "other/c.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert list(folder_files(tmp_path)) == ["manifest.json", "flows/a.json", "assets/deep/b.txt"]


async def test_they_are_there_at_the_first_start(home: Path) -> None:
    async with built(home) as it:
        assert await listed(it) == dict.fromkeys(NAMES, "1.0.0")


async def test_one_that_was_removed_comes_back_and_one_s_own_stays(home: Path) -> None:
    own = a_bundle(a_flow({"start": a_start(), "end": an_end()}, "start -> end"), id="own")
    async with built(home) as it:
        await upload(it, packed(own))
        assert (await it.client.delete(f"{BUNDLES}/ask-first")).status_code == 200
        assert "ask-first" not in await listed(it)
    async with built(home) as it:
        assert await listed(it) == {**dict.fromkeys(NAMES, "1.0.0"), "own": "1.0.0"}


async def test_one_that_is_out_of_use_stays_so(home: Path) -> None:
    async with built(home) as it:
        put_by = await it.client.post(f"{BUNDLES}/ask-first/deprecate", json={"reason": "old"})
        assert put_by.status_code == 200
    async with built(home) as it:
        assert "ask-first" not in await listed(it)
        assert "ask-first" in await listed(it, include_deprecated="true")
