"""What the models room brings."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from perdure.features.models.discovery import Catalog
from perdure.features.models.effects import Embedded, llm_call_kind
from perdure.features.models.embedded.server import EmbeddedServer
from perdure.features.models.routes import ACTIONS, profile_routes, routes
from perdure.features.models.settings import ModelsConfig
from perdure.registry.feature import Feature


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
        routers=(routes(Catalog(config, served)), profile_routes(config)),
        actions=ACTIONS,
        lifespan=lifespan,
    )
