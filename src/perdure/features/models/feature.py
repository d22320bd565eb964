"""What the models room brings."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from perdure.features.models.discovery import Catalog
from perdure.features.models.effects import Embedded, llm_call_kind
from perdure.features.models.embedded.server import EmbeddedServer
from perdure.features.models.routes import routes
from perdure.features.models.settings import ModelsConfig
from perdure.kernel.values import Json
from perdure.registry.feature import Feature

CONTRACTS: Final[dict[str, Json]] = {
    "common.discovery.providers": "/api/gateway/discovery/providers",
    "common.discovery.provider_models": "/api/gateway/discovery/providers/{provider_name}/models",
    "common.discovery.model_capabilities": "/api/gateway/discovery/models/capabilities",
    "flow_editor.helpers.providers": "/api/gateway/discovery/providers",
}


def models_feature(config: ModelsConfig, embedded: EmbeddedServer | None) -> Feature:
    """The feature over these providers. The embedded model's process ends with the feature."""
    served = None if embedded is None else Embedded(embedded.model, embedded.address)

    @asynccontextmanager
    async def lifespan() -> AsyncGenerator[None]:
        try:
            yield
        finally:
            if embedded is not None:
                await embedded.close()

    return Feature(
        name="models",
        effects={"llm_call": llm_call_kind(config, served)},
        routers=(routes(Catalog(config, served)),),
        contracts=CONTRACTS,
        lifespan=lifespan,
    )
