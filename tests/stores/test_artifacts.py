"""What is promised of artifacts: bytes are what was put, named once for each owner, and nobody else's."""

import asyncio

import pytest

from perdure.errors import ArtifactNotFound, StoreFailed
from perdure.ids import ArtifactId
from perdure.stores.artifacts import Artifact
from tests.support.builders import AT
from tests.support.planes import Store

pytestmark = pytest.mark.anyio


async def put(store: Store, content: bytes, owner: str = "run", *, at: str = AT) -> Artifact:
    """Keep some text."""
    return await store.plane.artifacts.put(content, owner=owner, content_type="text/plain", at=at)


async def read(store: Store, artifact: Artifact) -> bytes:
    """The whole content."""
    return b"".join([piece async for piece in store.plane.artifacts.read(artifact)])


@pytest.mark.parametrize("content", [b"", b"a", b"\x00\xff" * 400_000], ids=["none", "one", "many"])
async def test_bytes_come_back_as_they_were_put(store: Store, content: bytes) -> None:
    kept = await store.plane.artifacts.put(
        content, owner="run", content_type="image/png", at=AT, tags={"title": "Grüße", "n": [1]}
    )
    assert (kept.owner, kept.size_bytes, kept.content_type) == ("run", len(content), "image/png")
    assert (kept.created_at, kept.tags) == (AT, {"title": "Grüße", "n": [1]})
    await store.open_again()
    assert await store.plane.artifacts.get(kept.id) == kept
    assert await read(store, kept) == content


async def test_the_same_bytes_of_the_same_owner_are_the_same_artifact(store: Store) -> None:
    first, again = await put(store, b"x"), await put(store, b"x", at="2027")
    other = await put(store, b"x", "other")
    assert again == first
    assert other.id != first.id
    assert other.sha256 == first.sha256
    both = await asyncio.gather(*(put(store, b"y") for _ in range(8)))
    assert len({it.id for it in both}) == 1


async def test_an_artifact_is_found_only_by_its_owners(store: Store) -> None:
    kept = await put(store, b"x", "alice")
    assert await store.plane.artifacts.get(kept.id, owners=["bob", "alice"]) == kept
    for owners in (["bob"], []):
        with pytest.raises(ArtifactNotFound):
            await store.plane.artifacts.get(kept.id, owners=owners)
    with pytest.raises(ArtifactNotFound):
        await store.plane.artifacts.get(ArtifactId("nobody"))


async def test_bytes_that_changed_on_the_disk_are_never_served(store: Store) -> None:
    kept = await put(store, b"true" * 200_000)
    (path,) = (it for it in store.place.artifacts.rglob("*") if it.is_file())
    path.write_bytes(b"true" * 199_999 + b"lies")
    with pytest.raises(StoreFailed):
        await read(store, kept)
    path.unlink()
    with pytest.raises(StoreFailed):
        await read(store, kept)


async def test_a_page_is_newest_first_and_counts_them_all(store: Store) -> None:
    for n in range(5):
        await put(store, bytes([n]), "a" if n % 2 else "b", at=f"2026-01-0{n + 1}")
    page, count = await store.plane.artifacts.list(["a", "b"], limit=2, offset=1)
    assert [it.created_at for it in page] == ["2026-01-04", "2026-01-03"]
    assert count == 5
    page, count = await store.plane.artifacts.list(["a"], limit=9, offset=0)
    assert ([it.created_at for it in page], count) == (["2026-01-04", "2026-01-02"], 2)
    assert await store.plane.artifacts.list([], limit=9, offset=0) == ([], 0)
