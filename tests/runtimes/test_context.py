"""One principal's data plane in memory: bundles and programs, made once."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perdure.app.build import build
from perdure.app.settings import read_settings
from perdure.bundles.bundle import Bundle
from perdure.bundles.codec import read_bundle
from perdure.errors import BundleNotFound, FeatureAbsent, FlowNotFound
from perdure.ids import BundleSha
from perdure.kernel.model import ProgramRef
from perdure.runtimes import context
from perdure.runtimes.context import RuntimeContext
from tests.support.running import PATIENCE_S


@pytest.mark.anyio
async def test_bundles_and_programs_are_made_once_and_kept(tmp_path: Path) -> None:
    """By their hash and their reference."""
    async with build(read_settings(data_dir=tmp_path, embedded_model=False)) as app:
        runtime = app.runtime
        sha = next(iter(await runtime.plane.bundles.list())).sha256
        bundle = await runtime.bundle(sha)
        assert bundle.sha256 == sha and await runtime.bundle(sha) is bundle
        ref = ProgramRef("flow", sha, bundle.default_flow())
        assert runtime.program_at_hand(ref) is None
        program = await runtime.program(ref)
        assert await runtime.program(ref) is program is runtime.program_at_hand(ref)


@pytest.mark.anyio
async def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """A bundle, a flow, a kind of program."""
    async with build(read_settings(data_dir=tmp_path, embedded_model=False)) as app:
        runtime = app.runtime
        sha = next(iter(await runtime.plane.bundles.list())).sha256
        with pytest.raises(BundleNotFound):
            await runtime.bundle(BundleSha("0" * 64))
        with pytest.raises(FlowNotFound):
            await runtime.program(ProgramRef("flow", sha, "nothing"))
        with pytest.raises(FeatureAbsent):
            await runtime.program(ProgramRef("nothing", None, ""))


class Reads:
    """Stands where bundles are read: counts, and holds every reader until it is let go."""

    def __init__(self) -> None:
        self.count = 0
        self.begun, self.free = threading.Event(), threading.Event()

    def __call__(self, content: bytes) -> Bundle:
        self.count += 1
        self.begun.set()
        assert self.free.wait(PATIENCE_S)
        return read_bundle(content)

    async def until_begun(self) -> None:
        """Wait until somebody reads."""
        assert await asyncio.to_thread(self.begun.wait, PATIENCE_S)


@pytest.fixture
async def cold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[RuntimeContext, ProgramRef, Reads]]:
    """A runtime that has read nothing yet, a flow of one of its bundles, and who sees them read."""
    async with build(read_settings(data_dir=tmp_path, embedded_model=False)) as app:
        sha = next(iter(await app.runtime.plane.bundles.list())).sha256
        flow_id = (await app.runtime.bundle(sha)).default_flow()
        reads = Reads()
        monkeypatch.setattr(context, "read_bundle", reads)
        fresh = replace(app.runtime, _bundles=OrderedDict(), _programs=OrderedDict(), _reading={})
        yield fresh, ProgramRef("flow", sha, flow_id), reads


@pytest.mark.anyio
async def test_a_bundle_is_read_once_for_all_who_ask_meanwhile(cold: Any) -> None:
    runtime, ref, reads = cold
    asked = [asyncio.create_task(runtime.program(ref)) for _ in range(50)]
    await reads.until_begun()
    reads.free.set()
    programs = await asyncio.gather(*asked)
    assert reads.count == 1
    assert all(program is programs[0] for program in programs)


@pytest.mark.anyio
async def test_who_goes_away_takes_nothing_from_the_others(cold: Any) -> None:
    runtime, ref, reads = cold
    first, *others = [asyncio.create_task(runtime.bundle(ref.bundle)) for _ in range(3)]
    await reads.until_begun()
    first.cancel()
    await asyncio.wait([first])
    reads.free.set()
    assert first.cancelled()
    assert [(await it).sha256 for it in others] == [ref.bundle] * 2
    assert reads.count == 1


@pytest.mark.anyio
async def test_what_could_not_be_read_is_tried_again_by_the_next(cold: Any) -> None:
    runtime, ref, reads = cold
    reads.free.set()
    missing = BundleSha("0" * 64)
    told = await asyncio.gather(
        *(runtime.bundle(missing) for _ in range(3)), return_exceptions=True
    )
    assert [type(it) for it in told] == [BundleNotFound] * 3
    with pytest.raises(BundleNotFound):
        await runtime.bundle(missing)
    assert (await runtime.bundle(ref.bundle)).sha256 == ref.bundle
