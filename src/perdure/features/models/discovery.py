"""Which providers and models there are, asked of the providers themselves; a key goes only to its own address."""

from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import anyio

from perdure.errors import NotFound
from perdure.features.models.answer import clean, parsed
from perdure.features.models.effects import Embedded
from perdure.features.models.mask import Mask
from perdure.features.models.providers import EMBEDDED, known
from perdure.features.models.settings import (
    OUTPUT_TEXT,
    ModelsConfig,
    Provider,
    name_of,
    setting_of,
)
from perdure.kernel.values import Json
from perdure.runtimes.endpoints import Endpoints, Held
from perdure.stores.endpoints import PREFIX, EndpointRefused, Use
from perdure.stores.http import Http, HttpFailed

ASK_S: Final = 2.0
MODELS_MAX: Final = 2_000  # of one provider; the rest is left out and counted
EMBEDDED_CONTEXT: Final = 4096
NAME_MAX: Final = 80
NO_SUCH: Final = "there is no such provider"


class Listing(NamedTuple):
    """What a provider said when it was asked for its models, or why it said nothing."""

    models: tuple[str, ...]
    problem: str | None = None
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Catalog:
    """The configured providers, and the embedded one where it is there."""

    config: ModelsConfig
    embedded: Embedded | None

    def names(self) -> list[str]:
        """The providers that a request can name, the default one first."""
        default = self.config.routes.get(OUTPUT_TEXT, EMBEDDED).partition("/")[0]
        names = [*([EMBEDDED] if self.embedded else []), *self.config.providers]
        return sorted(names, key=lambda name: (name != default, name))

    async def providers(self, http: Http, *, include_models: bool) -> list[dict[str, Json]]:
        """Describe every provider, having asked all of them at once for a short while."""
        listings: dict[str, Listing] = {}

        async def ask(name: str) -> None:
            listings[name] = await self.listing(name, http)

        async with anyio.create_task_group() as asking:
            for name in self.names():
                asking.start_soon(partial(ask, name))
        return [self._provider(it, listings[it], include_models) for it in self.names()]

    async def listing(self, name: str, http: Http) -> Listing:
        """Ask one provider for its models. Raises `NotFound` for one that is not configured."""
        name = name_of(name)[:NAME_MAX]
        if name == EMBEDDED and self.embedded is not None:
            return Listing((self.embedded.model,))
        provider = self.config.providers.get(name)
        if provider is None:
            raise NotFound(f"the provider {name!r} is not configured; set {setting_of(name)}")
        return await models_of(provider, provider.http or http)

    def _provider(self, name: str, listing: Listing, include_models: bool) -> dict[str, Json]:
        about = known(name)
        embedded = name == EMBEDDED
        label = "Embedded model" if embedded else about.label
        local = embedded or about.local
        return {
            "id": name, "label": label, "provider": name, "name": name, "display_name": label,
            "type": "llm", "model_count": len(listing.models),
            "status": "unavailable" if listing.problem else "available",
            "description": "a toy that needs no key and no network" if embedded else about.description,
            "local_provider": local,
            "authentication_required": False if local else bool(self.config.providers[name].api_key),
            "supported_features": ["chat", "structured_output", *([] if embedded else ["tools"]), "streaming"],
            "installation_extras": "local" if embedded else None,
            "models": list(listing.models) if include_models else [],
            **({"problem": listing.problem} if listing.problem else {}),
        }  # fmt: skip

    def capabilities(self, model: str) -> dict[str, Json]:
        """What is known of a model: all of the embedded one, of any other only that it chats."""
        if self.embedded is None or model != self.embedded.model:
            return {"max_tokens": None, "max_output_tokens": None, "tool_support": None,
                    "structured_output": None, "source": "unknown"}  # fmt: skip
        return {"max_tokens": EMBEDDED_CONTEXT, "max_output_tokens": EMBEDDED_CONTEXT,
                "tool_support": "prompted", "structured_output": "native", "source": EMBEDDED}  # fmt: skip


async def endpoint_listing(asking: Endpoints, name: str, actor: str, http: Http) -> Listing:
    """Ask the provider of an endpoint profile for its models. Raises `NotFound`."""
    try:
        endpoint = await asking.open(name.removeprefix(PREFIX), Use(actor, "model discovery"))
    except EndpointRefused as refused:
        if refused.code == "endpoint_not_found":
            raise NotFound(NO_SUCH) from None
        return Listing((), refused.detail)
    listing = await models_of(Provider(endpoint.name, endpoint.base_url, endpoint.api_key), http)
    allowed = endpoint.allowed_models
    if not allowed:
        return listing
    # What the profile allows can be named, whether the provider lists it or not.
    return Listing(allowed, listing.problem)


def endpoint_item(held: Held, *, include_models: bool) -> dict[str, Json]:
    """Describe an endpoint profile as a provider, without asking it: that would use its key."""
    profile = held.profile
    return {
        "id": held.name, "label": profile.display_name, "provider": held.name, "name": held.name,
        "display_name": profile.display_name, "type": "llm", "model_count": len(profile.allowed_models),
        "status": "available" if profile.enabled else "unavailable", "description": profile.description,
        "local_provider": False, "authentication_required": profile.sealed is not None,
        "supported_features": ["chat", "structured_output", "tools", "streaming"],
        "installation_extras": None,
        "models": list(profile.allowed_models) if include_models else [],
        "provider_endpoint_profile": profile.id, "scope": held.scope.value,
        **({} if profile.enabled else {"problem": "the profile is off"}),
    }  # fmt: skip


async def models_of(provider: Provider, http: Http) -> Listing:
    """Ask a provider for its models. Its key goes to its own address, and is in nothing that comes back."""
    mask = Mask(provider.api_key)
    headers = {"authorization": f"Bearer {provider.api_key}"} if provider.api_key else {}
    try:
        reply = await http.send(
            "GET", f"{provider.base_url}/models", headers=headers, timeout_s=ASK_S
        )
    except HttpFailed as failed:
        return Listing((), f"{failed.code}: {failed.detail}")
    if reply.status != 200:
        return Listing((), f"it answered with status {reply.status}")
    body = parsed(reply.body)
    rows = body.get("data") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        return Listing((), "its list of models is not readable")
    models = [
        mask.text(clean(it["id"]))
        for it in rows
        if isinstance(it, dict) and isinstance(it.get("id"), str)
    ]
    return Listing(tuple(models[:MODELS_MAX]), None, max(0, len(models) - MODELS_MAX))
