"""`/discovery`: the providers, their models, and what a model can do."""

from typing import Annotated

from fastapi import APIRouter, Query

from perdure.api.deps import CurrentRuntime, require
from perdure.api.routing import PREFIX, answers, resource
from perdure.features.models.discovery import Catalog, Listing
from perdure.features.models.schemas import (
    Abilities,
    CatalogFacts,
    ModelCapabilities,
    ModelItem,
    ProviderItem,
    ProviderModels,
    Providers,
)
from perdure.features.models.settings import name_of

NAME_MAX = 200


def routes(catalog: Catalog) -> APIRouter:
    """The routes over one catalog."""
    discovery = resource("discovery", f"{PREFIX}/discovery")
    may_read = [require("discovery:read")]

    @discovery.get("/providers", dependencies=may_read, responses=answers(Providers))
    async def list_providers(runtime: CurrentRuntime, include_models: bool = False) -> Providers:
        """List the configured providers, each asked whether it answers."""
        items = await catalog.providers(runtime.http, include_models=include_models)
        return Providers(
            items=[ProviderItem(**item) for item in items],
            catalog=CatalogFacts(kind="providers", include_models=include_models),
        )

    @discovery.get(
        "/providers/{provider_name}/models",
        dependencies=may_read,
        responses=answers(ProviderModels, 404),
    )
    async def list_models(provider_name: str, runtime: CurrentRuntime) -> ProviderModels:
        """List the models of a provider, as it tells them now."""
        listing = await catalog.listing(provider_name, runtime.http)
        return _shown(name_of(provider_name), listing)

    @discovery.get(
        "/models/capabilities", dependencies=may_read, responses=answers(ModelCapabilities)
    )
    async def read_model_capabilities(
        model_name: Annotated[str, Query(min_length=1, max_length=NAME_MAX)],
    ) -> ModelCapabilities:
        """Tell what a model can do, as far as that is known."""
        return ModelCapabilities(
            model=model_name, capabilities=Abilities(**catalog.capabilities(model_name))
        )

    return discovery


def _shown(name: str, listing: Listing) -> ProviderModels:
    answered = listing.problem is None
    return ProviderModels(
        provider=name,
        models=list(listing.models),
        items=[ModelItem(id=it, label=it, provider=name) for it in listing.models],
        available=answered,
        route_available=answered,
        source="provider" if answered else "none",
        upstream_source=None,
        problem=listing.problem,
        catalog=CatalogFacts(kind="models", left_out=listing.left_out),
    )
