"""Bundles are installed whole, listed by the version that a bare name means, and never lost to a run."""

import pytest

from perdure.errors import (
    BundleExists,
    BundleNotFound,
    BundleRefused,
    FlowNotFound,
    FlowRefused,
    Invalid,
    KeyReused,
)
from perdure.services import bundles
from perdure.services.bundles import Shown, Versions, Which, default_of
from tests.support.drawing import a_bundle, a_flow, a_node, a_start, an_end
from tests.support.gateway import Gateway, a_straight_bundle, an_asking_bundle, packed

pytestmark = pytest.mark.anyio


async def refs(gateway: Gateway, which: Which | None = None) -> list[str]:
    """The names of what is listed."""
    return [row.ref for row in await bundles.listed(gateway.runtime, which or Which())]


async def test_a_list_shows_the_version_that_a_bare_name_means(gateway: Gateway) -> None:
    for version in ("1.9.0", "1.10.0", "draft.1"):
        await gateway.install(an_asking_bundle(id="ask", version=version))
    assert await refs(gateway) == ["ask@1.10.0", "straight@1.0.0"]
    every = ["ask@1.0.0", "ask@1.10.0", "ask@1.9.0", "straight@1.0.0"]
    assert sorted(await refs(gateway, Which(all_versions=True))) == every
    drafts = await refs(gateway, Which(all_versions=True, drafts=True))
    assert sorted(drafts) == sorted([*every, "ask@draft.1"])


async def test_what_is_deprecated_as_a_whole_is_left_out_of_lists(gateway: Gateway) -> None:
    mark = await bundles.deprecate(gateway.runtime, "ask", "main", "old")
    assert mark["reason"] == "old"
    assert await refs(gateway) == ["straight@1.0.0"]
    assert await refs(gateway, Which(deprecated=True)) == ["ask@1.0.0", "straight@1.0.0"]
    assert await bundles.undeprecate(gateway.runtime, "ask", "main")
    assert not await bundles.undeprecate(gateway.runtime, "ask", "main")
    assert await refs(gateway) == ["ask@1.0.0", "straight@1.0.0"]


async def test_only_what_is_there_can_be_deprecated(gateway: Gateway) -> None:
    with pytest.raises(BundleNotFound):
        await bundles.deprecate(gateway.runtime, "nope", None, None)
    with pytest.raises(FlowNotFound):
        await bundles.deprecate(gateway.runtime, "ask", "nope", None)


async def test_a_detail_may_name_its_version_in_either_place(gateway: Gateway) -> None:
    for named, version in (("ask", None), ("ask@1.0.0", None), ("ask", "1.0.0")):
        shown, bundle = await bundles.detail(gateway.runtime, named, version)
        assert (shown.ref, bundle.ref) == ("ask@1.0.0", "ask@1.0.0")
    with pytest.raises(Invalid):
        await bundles.detail(gateway.runtime, "ask@1.0.0", "2.0.0")
    with pytest.raises(BundleNotFound):
        await bundles.detail(gateway.runtime, "ask", "2.0.0")
    with pytest.raises(Invalid):
        await bundles.detail(gateway.runtime, "../ask", None)


async def test_a_bundle_of_drafts_alone_shows_its_newest(gateway: Gateway) -> None:
    await gateway.install(an_asking_bundle(id="sketch", version="draft.1"))
    shown, _ = await bundles.detail(gateway.runtime, "sketch", None)
    assert shown.ref == "sketch@draft.1"
    assert "sketch@draft.1" not in await refs(gateway)


async def test_a_flow_comes_with_its_inputs(gateway: Gateway) -> None:
    drawn = await bundles.flow(gateway.runtime, "ask", "main", None)
    assert drawn.flow["id"] == "main"
    assert [pin["id"] for pin in drawn.schema()["inputs"]] == ["prompt"]
    with pytest.raises(FlowNotFound):
        await bundles.flow(gateway.runtime, "ask", "nope", None)


async def test_the_same_bytes_again_change_nothing(gateway: Gateway) -> None:
    content = packed(an_asking_bundle(id="new"))
    first, bundle = await bundles.upload(gateway.runtime, content)
    again, _ = await bundles.upload(gateway.runtime, content)
    assert first == again
    assert bundle.sha256 == first.sha256


async def test_other_bytes_under_the_same_version_need_to_be_wished(gateway: Gateway) -> None:
    other = packed(a_straight_bundle(id="ask"))
    with pytest.raises(BundleExists):
        await bundles.upload(gateway.runtime, other)
    installed, _ = await bundles.upload(gateway.runtime, other, overwrite=True)
    shown, _ = await bundles.detail(gateway.runtime, "ask", None)
    assert shown.facts.sha256 == installed.sha256


async def test_a_key_stands_for_one_upload(gateway: Gateway) -> None:
    content, other = packed(an_asking_bundle(id="new")), packed(an_asking_bundle(id="newer"))
    first, _ = await bundles.upload(gateway.runtime, content, key="k")
    again, _ = await bundles.upload(gateway.runtime, content, key="k")
    assert first == again
    with pytest.raises(KeyReused):
        await bundles.upload(gateway.runtime, other, key="k")
    assert await bundles.ids(gateway.runtime) == ["ask", "new", "straight"]


async def test_what_is_no_bundle_or_cannot_run_is_not_installed(gateway: Gateway) -> None:
    with pytest.raises(BundleRefused):
        await bundles.upload(gateway.runtime, b"no zip")
    odd = a_flow(
        {"start": a_start("x"), "odd": a_node("teleport"), "end": an_end()}, "start -> odd -> end"
    )
    with pytest.raises(FlowRefused, match="teleport"):
        await bundles.upload(gateway.runtime, packed(a_bundle(odd, id="odd")))
    assert await bundles.ids(gateway.runtime) == ["ask", "straight"]


async def test_a_run_outlives_the_bundle_that_it_is_pinned_to(gateway: Gateway) -> None:
    run_id = await gateway.start("ask:main", prompt="?")
    await gateway.until(run_id, "waiting")
    assert await bundles.remove(gateway.runtime, "ask", None) == ("ask", 1)
    gateway.runtime._bundles.clear()
    gateway.runtime._programs.clear()
    answer = await gateway.command(run_id, "resume", payload={"payload": {"response": "y"}})
    assert answer.status_code == 200
    assert (await gateway.until(run_id, "completed"))["output"]["said"] == "y"


async def test_one_version_can_be_removed_alone(gateway: Gateway) -> None:
    await gateway.install(an_asking_bundle(id="ask", version="2.0.0"))
    assert await bundles.remove(gateway.runtime, "ask@2.0.0", None) == ("ask@2.0.0", 1)
    assert await refs(gateway) == ["ask@1.0.0", "straight@1.0.0"]
    with pytest.raises(BundleNotFound):
        await bundles.remove(gateway.runtime, "ask", "2.0.0")


async def test_a_client_preselects_the_agent_or_the_only_one(gateway: Gateway) -> None:
    rows = list(await bundles.listed(gateway.runtime, Which()))
    assert default_of(rows) is None
    assert default_of(rows[:1]) == "ask"
    agent = rows[0].facts._replace(bundle_id="basic-agent")
    named = Shown(agent, rows[0].manifest, Versions("basic-agent", {}))
    assert default_of([*rows, named]) == "basic-agent"
    assert default_of([]) is None
