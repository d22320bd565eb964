"""The room brings one effect, its routes with their actions, and the end of the embedded model's process."""

from pathlib import Path

import pytest

from perdure.features.models.embedded.server import EmbeddedServer
from perdure.features.models.feature import models_feature
from perdure.features.models.settings import ModelsConfig
from tests.support.models import an_asker, embedded_file

pytestmark = pytest.mark.anyio


async def test_what_it_brings_is_what_it_promises() -> None:
    feature = models_feature(ModelsConfig(), None)
    assert (feature.name, list(feature.effects)) == ("models", ["llm_call"])
    discovery, profiles = feature.routers
    assert {str(getattr(route, "path", "")) for route in discovery.routes} == {
        "/api/gateway/discovery/providers",
        "/api/gateway/discovery/providers/{provider_name}/models",
        "/api/gateway/discovery/models/capabilities",
    }
    under = "/api/gateway/config/provider-endpoint-profiles"
    assert {str(getattr(route, "path", "")) for route in profiles.routes} == {
        under, f"{under}/discover-models", f"{under}/{{profile_id}}", f"{under}/{{profile_id}}/used-by",
    }  # fmt: skip
    assert set(feature.actions) == {
        "profile:read", "profile:write", "profile:discover", "profile:share",
    }  # fmt: skip
    assert feature.lifespan is not None
    async with feature.lifespan():
        pass


async def test_making_it_starts_nothing(tmp_path: Path) -> None:
    async with an_asker() as asker:
        server = EmbeddedServer(tmp_path / "none.gguf", asker.own)
        models_feature(ModelsConfig(), server)
        assert server.pid is None


async def test_the_embedded_process_ends_with_it() -> None:
    async with an_asker() as asker:
        server = EmbeddedServer(embedded_file(), asker.own)
        feature = models_feature(ModelsConfig(), server)
        assert feature.lifespan is not None
        async with feature.lifespan():
            await server.address()
            assert server.pid is not None
        assert server.pid is None
