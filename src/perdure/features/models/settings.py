"""Which providers there are, and which model answers where none is named. Read once, never changed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from perdure.errors import Invalid
from perdure.features.models.providers import known
from perdure.stores.endpoints import endpoint_in
from perdure.stores.http import Http, Own
from perdure.stores.sites import Unreadable, address_of

OUTPUT_TEXT: Final = "output.text"
MODEL_SETTING: Final = "PERDURE_MODEL"
_ADDRESS = re.compile(r"PERDURE_PROVIDER_([A-Z0-9_]+?)_(BASE_URL|API_KEY)")


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a provider answers, and the key that it is told. The key is never shown.

    `http` is the client for this address alone; without one the caller's own is used, which has
    the rules of addresses that users choose.
    """

    name: str
    base_url: str
    api_key: str = field(default="", repr=False)
    http: Http | None = field(default=None, repr=False, compare=False)
    family: str = ""  # whose words it speaks, where its name does not say so


@dataclass(frozen=True, slots=True)
class ModelsConfig:
    """The providers by name, and the routes: `output.text` → `provider/model`."""

    providers: Mapping[str, Provider] = field(default_factory=dict)
    routes: Mapping[str, str] = field(default_factory=dict)


def read_config(variables: Mapping[str, str], own: Own | None = None) -> ModelsConfig:
    """Read the settings `PERDURE_PROVIDER_<NAME>_BASE_URL`, `…_API_KEY` and `PERDURE_MODEL`.

    A base URL without a path gets `/v1`, where every such server has its API. `own` makes the
    client of each. Raises `Invalid`.
    """
    addresses: dict[str, str] = {}
    keys: dict[str, str] = {}
    for variable, value in variables.items():
        found = _ADDRESS.fullmatch(variable)
        if found and value.strip():
            table = addresses if found[2] == "BASE_URL" else keys
            table[name_of(found[1])] = value.strip()
    providers = {
        name: Provider(name, url, keys.get(name, ""), None if own is None else own(url))
        for name in sorted({*addresses, *keys})
        if (address := addresses.get(name) or known(name).base_url)
        and (url := _base_url(name, address))
    }
    return ModelsConfig(MappingProxyType(providers), MappingProxyType(_routes(variables)))


def name_of(text: str) -> str:
    """A provider's name as the table knows it: `LM_Studio`, `lm-studio` and `lm studio` are one."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def setting_of(name: str, word: str = "BASE_URL") -> str:
    """The setting that gives a provider its address or key."""
    return f"PERDURE_PROVIDER_{name_of(name).replace('-', '_').upper()}_{word}"


def base_url_of(address: str) -> str:
    """The address of an API in its one spelling, under `/v1` where no path is given. Raises `Unreadable`."""
    site, path = address_of(address)
    return f"{site.origin}{path or '/v1'}"


def _base_url(name: str, address: str) -> str:
    try:
        return base_url_of(address)
    except Unreadable:
        raise Invalid(
            f"{setting_of(name)} is no http address: a scheme, a host, a path, no password"
        ) from None


def _routes(variables: Mapping[str, str]) -> dict[str, str]:
    model = variables.get(MODEL_SETTING, "").strip()
    if not model:
        return {}
    provider, _, name = model.partition("/")
    known_as = provider if endpoint_in(provider) else name_of(provider)
    if not (known_as and name):
        raise Invalid(f"{MODEL_SETTING} is <provider>/<model>, such as ollama/qwen3:8b")
    return {OUTPUT_TEXT: f"{known_as}/{name}"}
