"""Shapes of what the models room answers, in the words of the wire."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

from perdure.api.schemas.fields import PLAIN, Body
from perdure.features.models.discovery import Listing
from perdure.features.models.profiles import Draft, Wanted
from perdure.features.models.providers import known
from perdure.features.models.settings import Provider
from perdure.features.models.used import UsedBy
from perdure.runtimes.endpoints import Held
from perdure.stores.profiles import Scope


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
    provider_endpoint_profile: str | None = None
    scope: str | None = None


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
    provider_endpoint_profile: str | None = None
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


# --- endpoint profiles ---------------------------------------------------------------------------

SOURCE: Final = "abstractgateway.provider_endpoint_profiles"
Named = Annotated[str, Field(max_length=200, pattern=PLAIN)]
Long = Annotated[str, Field(max_length=2_000)]
Listed = Annotated[list[Named], Field(max_length=200)]
Address = Annotated[str, Field(max_length=2_000)]
Secret = Annotated[str, Field(max_length=8_000, description="write-only: no answer ever holds it")]


class ProfileChange(Body):
    """What to change of a profile; what is left out stays. A new origin needs the key again, or loses it."""

    display_name: Named | None = None
    description: Long | None = None
    provider_family: Named | None = None
    base_url: Address | None = None
    api_key: Secret | None = Field(default=None, repr=False)
    clear_api_key: bool = False
    scope: Literal["user", "gateway"] | None = None
    capabilities: Listed | None = None
    allowed_models: Listed | None = None
    enabled: bool | None = None

    def wanted(self) -> Wanted:
        """What is said of the profile."""
        return Wanted(
            display_name=self.display_name, description=self.description,
            provider_family=self.provider_family, base_url=self.base_url, api_key=self.api_key,
            clear_api_key=self.clear_api_key, scope=None if self.scope is None else Scope(self.scope),
            capabilities=None if self.capabilities is None else tuple(self.capabilities),
            allowed_models=None if self.allowed_models is None else tuple(self.allowed_models),
            enabled=self.enabled,
        )  # fmt: skip


class NewProfile(ProfileChange):
    """A new profile."""

    id: Named
    display_name: Named


class AskModels(Body):
    """A draft, a saved profile, or a draft of changes to one, to be asked for its models."""

    provider_family: Named | None = None
    base_url: Address | None = None
    api_key: Secret | None = Field(default=None, repr=False)
    profile_id: Named | None = None

    def wanted(self) -> Wanted:
        """The draft."""
        return Wanted(
            provider_family=self.provider_family, base_url=self.base_url, api_key=self.api_key
        )


class ProfileView(BaseModel):
    """An endpoint profile. Of its key there is only whether it is set, and a fingerprint for who may change it."""

    id: str
    virtual_provider: str
    display_name: str
    description: str
    provider_family: str
    base_url: str = Field(description="empty for those who may not change it")
    base_url_configured: bool
    api_key_set: bool
    api_key_fingerprint: str | None
    scope: str
    capabilities: list[str]
    allowed_models: list[str]
    enabled: bool
    created_at: str | None
    updated_at: str | None
    provider_id: str | None = None
    default_base_url: str | None = None
    discovered_model_count: int | None = None
    managed: bool = True
    synthetic: bool = False
    source: str = "profile"


class ProfileList(BaseModel):
    """The profiles that the principal may use, then the providers of the operator's settings."""

    ok: bool = True
    profiles: list[ProfileView]
    can_create_gateway_scope: bool
    source: str = SOURCE


class ProfileAnswer(BaseModel):
    """A profile as it is now, and all of them."""

    ok: bool = True
    profile: ProfileView
    profiles: list[ProfileView]
    key_cleared: bool = Field(
        default=False, description="the key was stored for another origin and is gone"
    )
    notice: str | None = None


class ProfileGone(BaseModel):
    """A profile was deleted."""

    ok: bool = True
    deleted: bool = True
    profiles: list[ProfileView]


class FlowUseView(BaseModel):
    """A flow that names a profile."""

    bundle_id: str
    bundle_version: str
    flow_id: str


class RunUseView(BaseModel):
    """A run that is not finished and names a profile."""

    run_id: str
    workflow_id: str
    status: str


class UsedByView(BaseModel):
    """Who names a profile in the caller's runtime. `more`: there are runs that were not looked at."""

    id: str
    virtual_provider: str
    routes: list[str]
    flows: list[FlowUseView]
    runs: list[RunUseView]
    more: bool


class ModelsFound(BaseModel):
    """What a provider said when it was asked for its models, or why it said nothing."""

    ok: bool
    provider: str
    models: list[str]
    available: bool
    route_available: bool
    source: str
    base_url_configured: bool
    api_key_set: bool
    upstream_source: str | None
    problem: str | None = None
    notice: str | None = None


def view_of(held: Held, *, whole: bool) -> ProfileView:
    """A profile as it is shown; not `whole` to those who may use and not change it."""
    profile = held.profile
    return ProfileView(
        id=profile.id, virtual_provider=held.name, display_name=profile.display_name,
        description=profile.description, provider_family=profile.provider_family,
        base_url=profile.base_url if whole else "", base_url_configured=True,
        api_key_set=profile.sealed is not None,
        api_key_fingerprint=profile.fingerprint if whole else None, scope=held.scope.value,
        capabilities=list(profile.capabilities), allowed_models=list(profile.allowed_models),
        enabled=profile.enabled, created_at=profile.created_at, updated_at=profile.updated_at,
    )  # fmt: skip


def view_of_setting(provider: Provider, *, whole: bool) -> ProfileView:
    """A provider of the operator's settings, in the form of a profile that nobody can change here."""
    about = known(provider.name)
    return ProfileView(
        id=provider.name, virtual_provider=provider.name, display_name=about.label,
        description=about.description, provider_family=provider.name,
        base_url=provider.base_url if whole else "", base_url_configured=True,
        api_key_set=bool(provider.api_key), api_key_fingerprint=None, scope="environment",
        capabilities=["text"], allowed_models=[], enabled=True, created_at=None, updated_at=None,
        provider_id=provider.name, default_base_url=about.base_url, managed=False, synthetic=True,
        source="environment",
    )  # fmt: skip


def used_view(held: Held, used: UsedBy) -> UsedByView:
    """Who names a profile."""
    return UsedByView(
        id=held.profile.id, virtual_provider=held.name, routes=list(used.routes),
        flows=[FlowUseView(**it._asdict()) for it in used.flows],
        runs=[RunUseView(**it._asdict()) for it in used.runs], more=used.more,
    )  # fmt: skip


def found_view(draft: Draft, listing: Listing) -> ModelsFound:
    """What came of asking for models."""
    answered = listing.problem is None
    return ModelsFound(
        ok=answered, provider=draft.name, models=list(listing.models), available=answered,
        route_available=answered, source="provider" if answered else "none", base_url_configured=True,
        api_key_set=bool(draft.api_key), upstream_source=None, problem=listing.problem,
        notice=draft.notice,
    )  # fmt: skip
