"""Nodes that name providers and models. A flow asks no provider: they give out what is drawn."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.model import Node, NodeType, described, of_node
from perdure.features.flows.values import Pins, filled, texts_in, whole
from perdure.kernel.values import Json


def _listed(pins: Pins, name: str, drawn: Json) -> list[str]:
    """The names of a pin, or where it has none, those of the node."""
    given = pins.get(name)
    return (texts_in(given) if isinstance(given, list) else []) or texts_in(drawn)


def _providers(node: Node, pins: Pins) -> Json:
    drawn = node.config("providerCatalogConfig").get("allowedProviders")
    return {"providers": _listed(pins, "allowed_providers", drawn)}


def _models(node: Node, pins: Pins) -> Json:
    drawn = node.config("providerModelsConfig")
    provider = filled(pins.get("provider")) or filled(drawn.get("provider")) or ""
    models = _listed(pins, "allowed_models", drawn.get("allowedModels"))
    return {"provider": provider, "models": models if provider else []}


def _catalog(node: Node, pins: Pins) -> Json:
    drawn = node.config("modelCatalogConfig")
    providers = _listed(pins, "allowed_providers", drawn.get("allowedProviders"))
    models = _listed(pins, "allowed_models", drawn.get("allowedModels"))
    index = whole(pins.get("index", drawn.get("index"))) or 0
    return {
        "providers": providers,
        "models": models,
        "provider": _at(providers, index),
        "model": _at(models, index),
    }


def _at(names: list[str], index: int) -> str:
    """The name at a position; the last one where it is beyond the end."""
    return names[min(max(index, 0), len(names) - 1)] if names else ""


TYPES: Final[Mapping[str, NodeType]] = {
    "provider_catalog": described(
        of_node(_providers),
        "allowed_providers -> providers",
        "The names of providers, as drawn.",
        "`providerCatalogConfig.allowedProviders`",
    ),
    "provider_models": described(
        of_node(_models),
        "provider allowed_models capability_route -> provider models",
        "A provider and the names of its models, as drawn.",
        "`providerModelsConfig`: `provider`, `allowedModels`",
    ),
    "model_catalog": described(
        of_node(_catalog),
        "allowed_providers allowed_models index -> providers models provider model",
        "Providers and models, as drawn, and those at a position.",
        "`modelCatalogConfig`: `allowedProviders`, `allowedModels`, `index`",
    ),
}
