"""Which model answers a request: what it names, else the route `output.text`, else the embedded one.

A name that cannot be served is a failure that says which setting is missing; nothing is ever
served by another provider, or another model, than the one that was named.
"""

from typing import NamedTuple

from perdure.features.models.providers import EMBEDDED
from perdure.features.models.settings import (
    MODEL_SETTING,
    OUTPUT_TEXT,
    ModelsConfig,
    Provider,
    name_of,
    setting_of,
)
from perdure.kernel.model import Failed
from perdure.stores.endpoints import Endpoint, endpoint_in

NOT_CONFIGURED = "provider_not_configured"


class Target(NamedTuple):
    """The model that answers. `provider` is `None` for the embedded one; `unasked` where nobody named it."""

    name: str
    model: str
    provider: Provider | None
    unasked: bool = False

    @property
    def family(self) -> str:
        """Whose words the provider speaks."""
        return (self.provider.family if self.provider else "") or self.name


def endpoint_asked(provider: str, model: str, config: ModelsConfig) -> tuple[str, str] | None:
    """The endpoint profile that is to answer, and the model that is named for it; `None` where it is another."""
    default_name, _, default_model = config.routes.get(OUTPUT_TEXT, "").partition("/")
    name = provider or default_name
    profile_id = endpoint_in(name)
    if profile_id is None:
        return None
    return profile_id, model or (default_model if name == default_name else "")


def to_endpoint(endpoint: Endpoint, model: str) -> Target | Failed:
    """The target that an endpoint profile is, for a model that it allows."""
    allowed = endpoint.allowed_models
    if not model and len(allowed) == 1:
        model = allowed[0]
    if not model:
        return Failed("model_not_configured", f"no model is named for {endpoint.name}")
    if allowed and model not in allowed:
        return Failed("model_not_allowed", f"{endpoint.name} does not allow the model {model!r}")
    provider = Provider(
        endpoint.name, endpoint.base_url, endpoint.api_key, family=endpoint.provider_family
    )
    return Target(endpoint.name, model, provider)


def routed(
    provider: str, model: str, config: ModelsConfig, *, embedded_model: str | None
) -> Target | Failed:
    """Say who answers. `provider` and `model` are the request's, else its node's; either may be empty."""
    route = config.routes.get(OUTPUT_TEXT, "")
    default_name, _, default_model = route.partition("/")
    name = name_of(provider) or default_name
    if not name and model:
        return Failed(NOT_CONFIGURED, f"the model {model!r} is named without its provider; name one, or set {MODEL_SETTING}")  # fmt: skip
    if name == EMBEDDED or not name:
        return _embedded(model, embedded_model, unasked=not name)
    configured = config.providers.get(name)
    if configured is None:
        return Failed(NOT_CONFIGURED, _no_address(provider or name))
    model = model or (default_model if name == default_name else "")
    if not model:
        return Failed("model_not_configured", f"no model is named for the provider {name!r}; name one, or set {MODEL_SETTING}={name}/<model>")  # fmt: skip
    return Target(name, model, configured)


def _embedded(model: str, embedded_model: str | None, *, unasked: bool) -> Target | Failed:
    if embedded_model is None:
        return Failed(NOT_CONFIGURED, "there is no embedded model here; set PERDURE_PROVIDER_<NAME>_BASE_URL and "
                      f"{MODEL_SETTING}=<name>/<model>")  # fmt: skip
    if model and model != embedded_model:
        return Failed("model_not_found", f"the embedded provider has one model, {embedded_model!r}, and not {model!r}")  # fmt: skip
    return Target(EMBEDDED, embedded_model, None, unasked)


def _no_address(name: str) -> str:
    return f"the provider {name!r} has no address; set {setting_of(name)}"
