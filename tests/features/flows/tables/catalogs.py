"""Providers and models, as drawn; and the time."""

from unittest.mock import ANY

from tests.support.tables import pure, row

TABLES = {
    "provider_catalog": [
        pure("provider_catalog", "allowed_providers", out="providers", providerCatalogConfig={"allowedProviders": ["a", "b"]}).rows(
            row(providers=["a", "b"]), row({"allowed_providers": ["b", ""]}, providers=["b"]),
        )
    ],
    "provider_models": [
        pure("provider_models", "provider", out="provider models", providerModelsConfig={"provider": "p", "allowedModels": ["m"]}).rows(
            row(provider="p", models=["m"]), row({"provider": "q"}, provider="q", models=["m"]),
        )
    ],
    "model_catalog": [
        pure("model_catalog", "index", out="models model provider", modelCatalogConfig={"allowedModels": ["m", "n"], "allowedProviders": ["p"]}).rows(
            row({"index": 1}, models=["m", "n"], model="n", provider="p"),
        )
    ],
    "system_datetime": [
        pure("system_datetime", out="iso timezone utc_offset_minutes").rows(row(iso=ANY, timezone="UTC", utc_offset_minutes=0))
    ],
}  # fmt: skip
