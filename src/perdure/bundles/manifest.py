"""The manifest: what a bundle says of itself. Read leniently in its spelling, strictly in its sense."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from perdure.bundles.document import Json
from perdure.bundles.paths import fault_of, quoted
from perdure.bundles.refs import DEFAULT_VERSION, is_id
from perdure.errors import BundleRefused

FORMAT_VERSION = "1"
MANIFEST_NAME = "manifest.json"
CREATED_AT_LETTERS_MAX = 64


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """A flow that can be started from outside, with the interfaces it keeps."""

    flow_id: str
    name: str
    description: str = ""
    interfaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """A bundle's name, its flows and where their files are. `artifacts` is carried, never read."""

    bundle_id: str
    bundle_version: str
    entrypoints: tuple[Entrypoint, ...]
    flows: Mapping[str, str]
    default_entrypoint: str | None = None
    created_at: str = ""
    artifacts: Mapping[str, str] = field(default_factory=dict)
    assets: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Json] = field(default_factory=dict)
    bundle_format_version: str = FORMAT_VERSION


def read_manifest(value: Json) -> Manifest:
    """Read a parsed `manifest.json`. Raises `BundleRefused` with the reason."""
    fields = _object(value, "the manifest")
    version = _get(fields, "bundle_format_version")
    if not _is_format(version):
        said = (
            "The bundle names no format version" if version is None else f"Format {quoted(version)}"
        )
        raise BundleRefused(
            f"{said} is not known; this program reads {FORMAT_VERSION}.", reason="unknown_version"
        )
    entrypoints = _entrypoints(_get(fields, "entrypoints"))
    manifest = Manifest(
        bundle_id=_id(_get(fields, "bundle_id"), "bundle_id"),
        bundle_version=_id(_get(fields, "bundle_version", DEFAULT_VERSION), "bundle_version"),
        created_at=_text(_get(fields, "created_at", ""), "created_at", CREATED_AT_LETTERS_MAX),
        entrypoints=entrypoints,
        default_entrypoint=_default(_get(fields, "default_entrypoint"), entrypoints),
        flows=_paths(_get(fields, "flows", {}), "flows"),
        artifacts=_paths(_get(fields, "artifacts", {}), "artifacts"),
        assets=_paths(_get(fields, "assets", {}), "assets"),
        metadata=_object(_get(fields, "metadata", {}), "metadata"),
    )
    _check_flows(manifest)
    return manifest


def write_manifest(manifest: Manifest) -> dict[str, Json]:
    """The manifest as JSON, spelled as the format has it; without a default there is no key."""
    default = manifest.default_entrypoint
    return {
        "bundle_format_version": manifest.bundle_format_version,
        "bundle_id": manifest.bundle_id,
        "bundle_version": manifest.bundle_version,
        "created_at": manifest.created_at,
        "entrypoints": [write_entrypoint(entry) for entry in manifest.entrypoints],
        **({} if default is None else {"default_entrypoint": default}),
        "flows": dict(manifest.flows),
        "artifacts": dict(manifest.artifacts),
        "assets": dict(manifest.assets),
        "metadata": dict(manifest.metadata),
    }


def write_entrypoint(entry: Entrypoint) -> dict[str, Json]:
    """One entrypoint as JSON, in the manifest as on the wire."""
    return {
        "flow_id": entry.flow_id,
        "name": entry.name,
        "description": entry.description,
        "interfaces": list(entry.interfaces),
    }


def _get(fields: Mapping[str, Json], name: str, default: Json = None) -> Json:
    """The field under its own spelling or its camelCase one; null is the same as absent."""
    first, *rest = name.split("_")
    value = fields.get(name)
    if value is None:
        value = fields.get(first + "".join(map(str.capitalize, rest)))
    return default if value is None else value


def _is_format(version: Json) -> bool:
    return isinstance(version, str | int) and str(version) == FORMAT_VERSION


def _entrypoints(value: Json) -> tuple[Entrypoint, ...]:
    if not isinstance(value, list) or not value:
        raise _bad("the manifest needs a list with at least one entrypoint")
    entrypoints = tuple(_entrypoint(_object(item, "an entrypoint")) for item in value)
    seen: set[str] = set()
    for entry in entrypoints:
        if entry.flow_id in seen:
            raise BundleRefused(
                f"The flow {quoted(entry.flow_id)} is an entrypoint twice.",
                reason="duplicate_entrypoint",
                flow_id=entry.flow_id,
            )
        seen.add(entry.flow_id)
    return entrypoints


def _entrypoint(fields: Mapping[str, Json]) -> Entrypoint:
    flow_id = _id(_get(fields, "flow_id"), "flow_id")
    interfaces = _get(fields, "interfaces", [])
    if not isinstance(interfaces, list) or not all(isinstance(name, str) for name in interfaces):
        raise _bad(f"the interfaces of {quoted(flow_id)} are not a list of names")
    return Entrypoint(
        flow_id=flow_id,
        name=_text(_get(fields, "name"), "name") or flow_id,
        description=_text(_get(fields, "description"), "description"),
        interfaces=tuple(interfaces),
    )


def _default(value: Json, entrypoints: tuple[Entrypoint, ...]) -> str | None:
    flow_id = _text(value, "default_entrypoint")
    if flow_id and flow_id not in {entry.flow_id for entry in entrypoints}:
        raise BundleRefused(
            f"The default {quoted(flow_id)} is not an entrypoint.", reason="unknown_entrypoint"
        )
    return flow_id or None


def _paths(value: Json, name: str) -> dict[str, str]:
    """A map of names to files of the bundle, each of them safe to ask for."""
    paths = _object(value, name)
    for key, path in paths.items():
        if not key or not isinstance(path, str):
            raise _bad(f"{name} does not map names to paths")
        if fault := fault_of(path):
            raise BundleRefused(
                f"The path {quoted(path)} in {name} is unsafe.", reason="unsafe_path", fault=fault
            )
    return paths


def _check_flows(manifest: Manifest) -> None:
    for flow_id in manifest.flows:
        _id(flow_id, "flows")
    for entry in manifest.entrypoints:
        if entry.flow_id not in manifest.flows:
            raise BundleRefused(
                f"The entrypoint {quoted(entry.flow_id)} is not among the flows.",
                reason="flow_missing",
                flow_id=entry.flow_id,
            )


def _id(value: Json, name: str) -> str:
    if value is None:
        raise _bad(f"{name} is missing")
    if not isinstance(value, str) or not is_id(value):
        raise BundleRefused(
            f"{quoted(value)} in {name} is no id: up to 128 of A-Z a-z 0-9 . _ - are.",
            reason="bad_id",
            field=name,
        )
    return value


def _text(value: Json, name: str, letters_max: int | None = None) -> str:
    text = "" if value is None else value
    if not isinstance(text, str) or (letters_max is not None and len(text) > letters_max):
        raise _bad(f"{name} is not a text, or too long a one")
    return text


def _object(value: Json, name: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise _bad(f"{name} is not an object")
    return value


def _bad(detail: str) -> BundleRefused:
    return BundleRefused(f"The manifest is not right: {detail}.", reason="bad_manifest")
