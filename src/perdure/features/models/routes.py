"""`/discovery`: the providers, their models, and what a model can do. `/config`: endpoint profiles."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query

from perdure.api.deps import CurrentAct, CurrentPrincipal, CurrentRuntime, require
from perdure.api.routing import PREFIX, answers, resource
from perdure.api.schemas.fields import NamePath
from perdure.errors import Conflict, Unavailable
from perdure.features.models import profiles, schemas
from perdure.features.models.discovery import (
    Catalog,
    Listing,
    endpoint_item,
    endpoint_listing,
    models_of,
)
from perdure.features.models.profiles import Asking, Changed
from perdure.features.models.schemas import (
    Abilities,
    CatalogFacts,
    ModelCapabilities,
    ModelItem,
    ProviderItem,
    ProviderModels,
    Providers,
)
from perdure.features.models.settings import ModelsConfig, Provider, name_of
from perdure.features.models.used import UsedBy, used_by
from perdure.identity.access import ADMIN, USER, Recorded, Rule, rule
from perdure.identity.principal import Principal
from perdure.runtimes.context import RuntimeContext
from perdure.stores.endpoints import endpoint_in

NAME_MAX = 200
RUNS_TOLD: Final = 20
ACTIONS: Final[Mapping[str, Rule]] = {
    "profile:read": rule(USER, ADMIN),
    "profile:write": rule(USER, ADMIN, audited=True),
    "profile:discover": rule(USER, ADMIN, audited=True, recorded=Recorded.AFTER),
    profiles.SHARE: rule(
        ADMIN, audited=True
    ),  # no route's own: asked for where a profile is shared
}


def routes(catalog: Catalog) -> APIRouter:
    """The routes over one catalog."""
    discovery = resource("discovery", f"{PREFIX}/discovery")
    may_read = [require("discovery:read")]

    @discovery.get("/providers", dependencies=may_read, responses=answers(Providers))
    async def list_providers(runtime: CurrentRuntime, include_models: bool = False) -> Providers:
        """List the configured providers, each asked whether it answers, and the principal's endpoint profiles."""
        items = await catalog.providers(runtime.http, include_models=include_models)
        held = () if runtime.endpoints is None else await runtime.endpoints.list()
        items += [endpoint_item(it, include_models=include_models) for it in held]
        return Providers(
            items=[ProviderItem(**item) for item in items],
            catalog=CatalogFacts(kind="providers", include_models=include_models),
        )

    @discovery.get(
        "/providers/{provider_name}/models",
        dependencies=may_read,
        responses=answers(ProviderModels, 404),
    )
    async def list_models(
        provider_name: NamePath, runtime: CurrentRuntime, principal: CurrentPrincipal
    ) -> ProviderModels:
        """List the models of a provider, as it tells them now."""
        return await _models_shown(catalog, runtime, principal, provider_name)

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


async def _models_shown(
    catalog: Catalog, runtime: RuntimeContext, principal: Principal, name: str
) -> ProviderModels:
    if endpoint_in(name) is None or runtime.endpoints is None:
        return _shown(name_of(name), await catalog.listing(name, runtime.http))
    listing = await endpoint_listing(runtime.endpoints, name, principal.user, runtime.http)
    return _shown(name, listing)


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
        provider_endpoint_profile=endpoint_in(name),
        catalog=CatalogFacts(kind="models", left_out=listing.left_out),
    )


# --- endpoint profiles ---------------------------------------------------------------------------


def profile_routes(config: ModelsConfig) -> APIRouter:
    """The routes of endpoint profiles, beside the providers of the settings."""
    router = resource("profiles", f"{PREFIX}/config/provider-endpoint-profiles")
    may_read, may_write = [require("profile:read")], [require("profile:write")]

    @router.get("", dependencies=may_read, responses=answers(schemas.ProfileList))
    async def list_profiles(
        runtime: CurrentRuntime, principal: CurrentPrincipal
    ) -> schemas.ProfileList:
        """List the principal's own profiles, those of the gateway, and the providers of the settings."""
        asking = _asking(runtime, principal)
        return schemas.ProfileList(
            profiles=await _views(asking, config), can_create_gateway_scope=asking.may_share
        )

    @router.post(
        "", dependencies=may_write, responses=answers(schemas.ProfileAnswer, 409, body=True)
    )
    async def create_profile(
        body: schemas.NewProfile, runtime: CurrentRuntime, principal: CurrentPrincipal, act: CurrentAct
    ) -> schemas.ProfileAnswer:  # fmt: skip
        """Keep a new profile. Its key is write-only, and goes to the host of its address alone."""
        asking = _asking(runtime, principal)
        act.about(target=body.id, scope=body.scope or "user")
        return await _answer(asking, config, await profiles.create(asking, body.id, body.wanted()))

    @router.post(
        "/discover-models",
        dependencies=[require("profile:discover")],
        responses=answers(schemas.ModelsFound, 404, body=True),
    )
    async def discover_models(
        body: schemas.AskModels, runtime: CurrentRuntime, principal: CurrentPrincipal, act: CurrentAct
    ) -> schemas.ModelsFound:  # fmt: skip
        """Ask a draft or a saved profile for its models. A stored key goes to its own URL alone."""
        asking = _asking(runtime, principal)
        draft = await profiles.draft_of(asking, body.profile_id, body.wanted())
        act.about(target=draft.name)
        provider = Provider(draft.name, draft.base_url, draft.api_key)
        return schemas.found_view(draft, await models_of(provider, runtime.http))

    _add_routes_of_one(router, config)
    return router


def _add_routes_of_one(router: APIRouter, config: ModelsConfig) -> None:
    """The routes of one profile that is kept."""
    may_read, may_write = [require("profile:read")], [require("profile:write")]

    @router.put(
        "/{profile_id}",
        dependencies=may_write,
        responses=answers(schemas.ProfileAnswer, 404, 409, body=True),
    )
    async def change_profile(
        profile_id: NamePath, body: schemas.ProfileChange, runtime: CurrentRuntime,
        principal: CurrentPrincipal,
    ) -> schemas.ProfileAnswer:  # fmt: skip
        """Change what is said and leave the rest. A new origin without the key clears the key."""
        asking = _asking(runtime, principal)
        changed = await profiles.change(asking, profile_id, body.wanted())
        return await _answer(asking, config, changed)

    @router.delete(
        "/{profile_id}", dependencies=may_write, responses=answers(schemas.ProfileGone, 404, 409)
    )
    async def delete_profile(
        profile_id: NamePath, runtime: CurrentRuntime, principal: CurrentPrincipal, force: bool = False
    ) -> schemas.ProfileGone:  # fmt: skip
        """Forget a profile and its key. One that unfinished runs name goes only with `force`."""
        asking = _asking(runtime, principal)
        held = await asking.find(profile_id)
        asking.check(held.scope)
        _check_unused(await used_by(runtime, config, held.name), force=force)
        await profiles.remove(asking, profile_id)
        return schemas.ProfileGone(profiles=await _views(asking, config))

    @router.get(
        "/{profile_id}/used-by", dependencies=may_read, responses=answers(schemas.UsedByView, 404)
    )
    async def read_used_by(
        profile_id: NamePath, runtime: CurrentRuntime, principal: CurrentPrincipal
    ) -> schemas.UsedByView:
        """Say which routes, flows and unfinished runs of the caller's runtime name a profile."""
        held = await _asking(runtime, principal).find(profile_id)
        return schemas.used_view(held, await used_by(runtime, config, held.name))


def _asking(runtime: RuntimeContext, principal: Principal) -> Asking:
    if runtime.endpoints is None:
        raise Unavailable("This process keeps no endpoint profiles.")
    return Asking(principal, runtime.registry.actions, runtime.endpoints, runtime.clock)


async def _views(asking: Asking, config: ModelsConfig) -> list[schemas.ProfileView]:
    held = await asking.endpoints.list()
    return [
        *(schemas.view_of(it, whole=asking.may_change(it.scope)) for it in held),
        *(schemas.view_of_setting(it, whole=asking.may_share) for it in config.providers.values()),
    ]


async def _answer(asking: Asking, config: ModelsConfig, changed: Changed) -> schemas.ProfileAnswer:
    return schemas.ProfileAnswer(
        profile=schemas.view_of(changed.held, whole=True),
        profiles=await _views(asking, config),
        key_cleared=changed.key_cleared,
        notice=profiles.KEY_CLEARED if changed.key_cleared else None,
    )


def _check_unused(used: UsedBy, *, force: bool) -> None:
    """Raises `Conflict` where runs that are not finished would fail without the profile."""
    if used.runs and not force:
        raise Conflict(
            f"{len(used.runs)} runs that are not finished name this profile; force=true deletes it at any rate",
            reason_code="profile_in_use", runs=[it.run_id for it in used.runs[:RUNS_TOLD]],
        )  # fmt: skip
