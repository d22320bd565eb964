"""Shapes of what the models room answers, in the words of the wire."""

from pydantic import BaseModel, Field


class CatalogFacts(BaseModel):
    """What a list is, for clients that read many kinds of lists."""

    contract: str = "gateway_catalog_v1"
    version: int = 1
    kind: str
    scope: str = "text"
    primary_items_field: str = "items"
    items_field: str = "items"
    include_models: bool | None = None
    left_out: int = 0


class ProviderItem(BaseModel):
    """A provider, and whether it answers."""

    id: str
    label: str
    provider: str
    name: str
    display_name: str
    type: str
    model_count: int
    status: str = Field(description="`available`, or `unavailable` with a `problem`")
    description: str
    local_provider: bool
    authentication_required: bool
    supported_features: list[str]
    installation_extras: str | None
    models: list[str]
    problem: str | None = None


class Providers(BaseModel):
    """Every configured provider, the default one first."""

    items: list[ProviderItem]
    catalog: CatalogFacts


class ModelItem(BaseModel):
    """A model of a provider."""

    id: str
    label: str
    provider: str


class ProviderModels(BaseModel):
    """The models of a provider, as it told them now."""

    provider: str
    models: list[str]
    items: list[ModelItem]
    available: bool
    route_available: bool
    source: str
    upstream_source: str | None
    problem: str | None = None
    catalog: CatalogFacts


class Abilities(BaseModel):
    """What a model can do. What is not known is null."""

    max_tokens: int | None
    max_output_tokens: int | None
    tool_support: str | None
    structured_output: str | None
    source: str


class ModelCapabilities(BaseModel):
    """A model with what it can do."""

    model: str
    capabilities: Abilities
