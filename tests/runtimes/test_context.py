"""One principal's data plane in memory: bundles and programs, made once."""

from pathlib import Path

import pytest

from perdure.app.build import build
from perdure.app.settings import read_settings
from perdure.errors import BundleNotFound, FeatureAbsent, FlowNotFound
from perdure.ids import BundleSha
from perdure.kernel.model import ProgramRef


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
