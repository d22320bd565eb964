"""What is promised of bundles: a version never changes unseen, and bytes stay for the runs that need them."""

import asyncio
from hashlib import sha256

import pytest

from perdure.errors import BundleExists, BundleNotFound, Deprecated, StoreFailed
from perdure.ids import BundleSha
from perdure.kernel.draft import born
from perdure.kernel.model import Cancel, Hold, ProgramRef
from perdure.stores.bundles import Installed, Word
from perdure.stores.runs import Commit
from tests.support.branches import Ask, Branches
from tests.support.builders import AT, a_birth
from tests.support.driving import LEASED_UNTIL, Driven, a_driven_run
from tests.support.planes import Store

pytestmark = pytest.mark.anyio

WORD = Word("test", "hear", AT)


def facts_of(content: bytes, bundle_id: str = "b", version: str = "1.0.0") -> Installed:
    """The facts of a bundle of these bytes."""
    sha = BundleSha(sha256(content).hexdigest())
    return Installed(bundle_id, version, sha, len(content), AT, AT, {"flows": ["main"], "n": None})


async def install(store: Store, content: bytes, *names: str, overwrite: bool = False) -> bool:
    """Install a bundle; whether it was new."""
    facts = facts_of(content, *names)
    installed, new = await store.plane.bundles.install(content, facts, overwrite=overwrite)
    assert installed.sha256 == facts.sha256
    return new


async def test_a_bundle_is_installed_once(store: Store) -> None:
    assert await install(store, b"one")
    assert not await install(store, b"one")
    await store.open_again()
    assert await store.plane.bundles.list() == [facts_of(b"one")]
    assert await store.plane.bundles.content(facts_of(b"one").sha256) == b"one"


async def test_a_version_with_other_bytes_is_refused_unless_it_is_wished(store: Store) -> None:
    await install(store, b"one")
    with pytest.raises(BundleExists):
        await install(store, b"other")
    assert await store.plane.bundles.list() == [facts_of(b"one")]
    assert await install(store, b"other", overwrite=True)
    assert await store.plane.bundles.list() == [facts_of(b"other")]
    assert await store.plane.bundles.content(facts_of(b"one").sha256) == b"one"


async def test_bundles_are_listed_by_id_and_version(store: Store) -> None:
    for bundle_id, version in (("b", "2.0.0"), ("a", "1.0.0"), ("b", "1.0.0")):
        await install(store, f"{bundle_id}{version}".encode(), bundle_id, version)
    listed = [(it.bundle_id, it.bundle_version) for it in await store.plane.bundles.list()]
    assert listed == [("a", "1.0.0"), ("b", "1.0.0"), ("b", "2.0.0")]
    assert [it.bundle_version for it in await store.plane.bundles.list("b")] == ["1.0.0", "2.0.0"]
    assert await store.plane.bundles.list("c") == []


async def test_every_change_of_a_bundle_is_seen_at_once(store: Store) -> None:
    bundles = store.plane.bundles

    async def seen() -> list[tuple[str, str, bool]]:
        listed = await bundles.list("b")
        return [(it.bundle_version, it.sha256[:2], bool(it.deprecated)) for it in listed]

    one, two, three = (facts_of(it).sha256[:2] for it in (b"one", b"two", b"three"))
    assert await seen() == []
    await install(store, b"one")
    assert await seen() == [("1.0.0", one, False)]
    await install(store, b"two", "b", "2.0.0")
    assert await seen() == [("1.0.0", one, False), ("2.0.0", two, False)]
    await install(store, b"three", overwrite=True)
    assert await seen() == [("1.0.0", three, False), ("2.0.0", two, False)]
    await bundles.deprecate("b", "main", {"reason": "old"}, WORD)
    assert await seen() == [("1.0.0", three, True), ("2.0.0", two, True)]
    await bundles.remove("b", "2.0.0")
    assert await seen() == [("1.0.0", three, True)]
    await bundles.remove("b", None)
    assert await seen() == []


async def test_a_change_whose_caller_has_gone_is_seen_as_well(store: Store) -> None:
    bundles = store.plane.bundles
    await install(store, b"one")
    change = asyncio.create_task(bundles.remove("b", None))
    await asyncio.sleep(0)
    change.cancel()
    await asyncio.gather(change, return_exceptions=True)
    await bundles.list("b")
    await a_driven_run(store.plane, Branches((Ask(),)))  # written after the change
    assert await bundles.list("b") == []


async def test_bytes_outlive_the_removal(store: Store) -> None:
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        await install(store, version.encode(), "b", version)
    assert await store.plane.bundles.remove("b", "1.0.0") == 1
    assert await store.plane.bundles.remove("b", "1.0.0") == 0
    assert await store.plane.bundles.remove("b", None) == 2
    assert await store.plane.bundles.list() == []
    assert await store.plane.bundles.content(facts_of(b"1.0.0").sha256) == b"1.0.0"


async def test_bytes_may_be_kept_without_being_installed(store: Store) -> None:
    sha = facts_of(b"draft").sha256
    for _ in range(2):
        await store.plane.bundles.keep(b"draft", sha)
    assert await store.plane.bundles.content(sha) == b"draft"
    assert await store.plane.bundles.list() == []
    with pytest.raises(StoreFailed):
        await store.plane.bundles.keep(b"other", sha)


@pytest.mark.parametrize("sha", ["0" * 64, "../../plane.db", "", "x" * 64])
async def test_bytes_that_nobody_kept_are_not_found(store: Store, sha: str) -> None:
    with pytest.raises(BundleNotFound):
        await store.plane.bundles.content(BundleSha(sha))


async def test_a_flow_is_deprecated_and_undeprecated(store: Store) -> None:
    await install(store, b"1", "b", "1.0.0")
    await install(store, b"2", "b", "2.0.0")
    await install(store, b"3", "other", "1.0.0")
    mark = {"at": AT, "reason": "old"}
    assert await store.plane.bundles.deprecate("b", "main", mark, WORD)
    assert not await store.plane.bundles.deprecate("b", "main", mark, WORD)
    assert await store.plane.bundles.deprecate("b", "*", mark, WORD)
    assert [dict(it.deprecated) for it in await store.plane.bundles.list()] == [
        {"main": mark, "*": mark}, {"main": mark, "*": mark}, {},
    ]  # fmt: skip
    assert await store.plane.bundles.deprecate("b", "main", None, WORD)
    assert not await store.plane.bundles.deprecate("b", "main", None, WORD)
    assert not await store.plane.bundles.deprecate("nobody", "main", mark, WORD)
    assert dict((await store.plane.bundles.list())[0].deprecated) == {"*": mark}


async def test_runs_of_a_kind_that_are_pinned_to_a_bundle_hear_of_its_marks(store: Store) -> None:
    old, new = await install_two(store)
    runs: dict[str, Driven] = {}
    for name, kind, sha in (
        ("one", "test", old), ("two", "test", new), ("held", "test", old), ("ended", "test", old),
        ("of another kind", "flow", old), ("of another bundle", "test", BundleSha("0" * 64)),
    ):  # fmt: skip
        ref = ProgramRef(kind, sha, "main")
        runs[name] = Driven(store.plane, Branches((Ask(),)))
        await runs[name].begin(name, program=ref)
    await runs["held"].deliver(Hold())
    await runs["ended"].deliver(Cancel())
    mark = {"at": AT, "reason": "old"}
    await store.plane.bundles.deprecate("b", "main", mark, WORD)
    assert await store.plane.next_due() == "", "there is something to deliver"
    told = await store.plane.inbox.claim("me", now=AT, until=LEASED_UNTIL, limit=9)
    assert {it.run_id for it in told} == {runs[it].id for it in ("one", "two", "held")}
    assert all((it.kind, it.body) == ("told", {"do": "hear", "marks": {"main": mark}}) for it in told)  # fmt: skip
    await store.plane.bundles.deprecate("b", "main", mark, WORD)
    await store.plane.bundles.deprecate("other", "main", mark, WORD)
    assert await store.plane.inbox.claim("me", now=AT, until=LEASED_UNTIL, limit=9) == []


async def test_what_is_installed_again_has_no_marks_and_its_runs_hear_of_it(store: Store) -> None:
    facts = facts_of(b"1")
    await install(store, b"1")
    schedule = Driven(store.plane, Branches((Ask(),)))
    await schedule.begin("one", program=ProgramRef("test", facts.sha256, "main"))
    await store.plane.bundles.deprecate("b", "main", {"at": AT, "reason": "old"}, WORD)
    await store.plane.inbox.claim("me", now=AT, until=LEASED_UNTIL, limit=9)
    assert await store.plane.bundles.remove("b", None) == 1
    for new in (True, False):
        assert (await store.plane.bundles.install(b"1", facts, word=WORD))[1] is new
    assert [it.deprecated for it in await store.plane.bundles.list()] == [{}]
    told = await store.plane.inbox.claim("me", now=AT, until=LEASED_UNTIL, limit=9)
    assert [(it.run_id, it.body) for it in told] == [(schedule.id, {"do": "hear", "marks": {}})]


async def install_two(store: Store) -> list[BundleSha]:
    """Two versions of one bundle, and another; the hashes of the two."""
    await install(store, b"3", "other", "1.0.0")
    await install(store, b"1", "b", "1.0.0")
    await install(store, b"2", "b", "2.0.0")
    return [it.sha256 for it in await store.plane.bundles.list("b")]


async def bear(store: Store, name: str, sha: BundleSha) -> bool:
    """Bear a run that is born of a flow without a mark alone; whether it was."""
    birth = a_birth(name, program=ProgramRef("test", sha, "main"))
    try:
        await store.plane.runs.commit(Commit(born(birth, {}), unmarked=True))
    except Deprecated:
        return False
    return True


async def test_what_may_have_no_mark_is_not_born_of_a_flow_that_has_one(store: Store) -> None:
    old, new = await install_two(store)
    mark = {"at": AT, "reason": "old"}
    assert await bear(store, "before", old)
    await store.plane.bundles.deprecate("b", "another", mark, WORD)
    assert await bear(store, "of a flow without one", new)
    for marked in ("main", "*"):
        await store.plane.bundles.deprecate("b", marked, mark, WORD)
        assert not await bear(store, f"marked {marked}", new)
        await store.plane.bundles.deprecate("b", marked, None, WORD)
    assert await bear(store, "after", old)


@pytest.mark.parametrize("first", ["mark", "birth"])
async def test_of_a_mark_and_a_birth_at_one_moment_one_hears_of_the_other(
    store: Store, first: str
) -> None:
    old, _ = await install_two(store)
    mark = store.plane.bundles.deprecate("b", "main", {"at": AT, "reason": "old"}, WORD)
    birth = bear(store, "run", old)
    done = await asyncio.gather(*((mark, birth) if first == "mark" else (birth, mark)))
    told = await store.plane.inbox.claim("me", now=AT, until=LEASED_UNTIL, limit=9)
    assert all(done) == bool(told), "either it was not born, or it is told"


async def test_of_eight_installs_of_one_version_one_is_new(store: Store) -> None:
    installed = await asyncio.gather(*(install(store, b"one") for _ in range(8)))
    assert sorted(installed) == [*[False] * 7, True]
