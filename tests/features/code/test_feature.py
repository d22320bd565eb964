"""The feature brings one effect and one route, starts nothing when it is made, and leaves nothing behind."""

from pathlib import Path

import pytest

from perdure.features.code.feature import code_feature
from perdure.features.code.sandbox.sandbox import Answer, Code, Sandbox
from perdure.features.code.sandbox.ways import Landlock
from tests.support.sandboxes import BOUNDS

pytestmark = pytest.mark.anyio


async def test_what_it_brings_is_what_it_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sandbox = Sandbox(BOUNDS, [Landlock()])
    feature = code_feature(sandbox)
    assert (feature.name, list(feature.effects)) == ("code", ["run_code"])
    (router,) = feature.routers
    assert [str(getattr(route, "path", "")) for route in router.routes] == [
        "/api/gateway/visualflows/code/simulate"
    ]
    assert set(feature.actions) == {"code:simulate"}
    told = {"common.execution.code": {"sandbox": "landlock"}}  # before anybody ran code
    assert feature.contracts == told
    assert feature.lifespan is not None and not list(tmp_path.iterdir())
    async with feature.lifespan():
        assert isinstance(await sandbox.run(Code("1", None, None)), Answer)
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
