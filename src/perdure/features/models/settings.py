"""Which providers there are, and which model answers where none is named. Read once, never changed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from perdure.errors import Invalid
from perdure.features.models.providers import known

OUTPUT_TEXT: Final = "output.text"
MODEL_SETTING: Final = "PERDURE_MODEL"
_ADDRESS = re.compile(r"PERDURE_PROVIDER_([A-Z0-9_]+?)_(BASE_URL|API_KEY)")


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a provider answers, and the key that it is told. The key is never shown."""

    name: str
    base_url: str
    api_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ModelsConfig:
    """The providers by name, and the routes: `output.text` → `provider/model`."""

    providers: Mapping[str, Provider] = field(default_factory=dict)
    routes: Mapping[str, str] = field(default_factory=dict)


def read_config(variables: Mapping[str, str]) -> ModelsConfig:
    """Read the settings `PERDURE_PROVIDER_<NAME>_BASE_URL`, `…_API_KEY` and `PERDURE_MODEL`.

    A base URL without a path gets `/v1`, where every such server has its API. Raises `Invalid`.
    """
    addresses: dict[str, str] = {}
    keys: dict[str, str] = {}
    for variable, value in variables.items():
        found = _ADDRESS.fullmatch(variable)
        if found and value.strip():
            table = addresses if found[2] == "BASE_URL" else keys
            table[name_of(found[1])] = value.strip()
    providers = {
        name: Provider(name, _base_url(name, address), keys.get(name, ""))
        for name in sorted({*addresses, *keys})
        if (address := addresses.get(name) or known(name).base_url)
    }
    return ModelsConfig(MappingProxyType(providers), MappingProxyType(_routes(variables)))


def name_of(text: str) -> str:
    """A provider's name as the table knows it: `LM_Studio`, `lm-studio` and `lm studio` are one."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def setting_of(name: str, word: str = "BASE_URL") -> str:
    """The setting that gives a provider its address or key."""
    return f"PERDURE_PROVIDER_{name_of(name).replace('-', '_').upper()}_{word}"


def _base_url(name: str, address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise Invalid(
            f"{setting_of(name)} is no http address: a scheme, a host, a path, no password"
        )
    path = parts.path.rstrip("/") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


def _routes(variables: Mapping[str, str]) -> dict[str, str]:
    model = variables.get(MODEL_SETTING, "").strip()
    if not model:
        return {}
    provider, _, name = model.partition("/")
    if not (name_of(provider) and name):
        raise Invalid(f"{MODEL_SETTING} is <provider>/<model>, such as ollama/qwen3:8b")
    return {OUTPUT_TEXT: f"{name_of(provider)}/{name}"}
