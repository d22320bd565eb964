"""A manifest is read in either spelling, and refused for the reason that makes it no manifest."""

from typing import Any

import pytest

from perdure.bundles.manifest import Entrypoint, Manifest, read_manifest, write_manifest
from perdure.errors import BundleRefused
from tests.bundles.archives import a_manifest

TWO = [{"flow_id": "f1"}, {"flow_id": "f1"}]
REFUSED: dict[str, tuple[str, Any]] = {
    "a list": ("bad_manifest", []),
    "null": ("bad_manifest", None),
    "nothing": ("unknown_version", {}),
    "no format version": ("unknown_version", a_manifest(bundle_format_version=None)),
    "a later format": ("unknown_version", a_manifest(bundle_format_version="2")),
    "a format of another type": ("unknown_version", a_manifest(bundle_format_version=[1])),
    "a format that is true": ("unknown_version", a_manifest(bundle_format_version=True)),
    "no id": ("bad_manifest", a_manifest(bundle_id=None)),
    "an empty id": ("bad_id", a_manifest(bundle_id="")),
    "an id that is a path": ("bad_id", a_manifest(bundle_id="../a")),
    "an id that is a number": ("bad_id", a_manifest(bundle_id=7)),
    "an id of 10 kB": ("bad_id", a_manifest(bundle_id="x" * 10_000)),
    "an id of pictures": ("bad_id", a_manifest(bundle_id="🦊")),
    "an empty version": ("bad_id", a_manifest(bundle_version="")),
    "a version that is a reference": ("bad_id", a_manifest(bundle_version="1@2:3")),
    "no entrypoints": ("bad_manifest", a_manifest(entrypoints=None)),
    "an empty list of entrypoints": ("bad_manifest", a_manifest(entrypoints=[])),
    "entrypoints as an object": ("bad_manifest", a_manifest(entrypoints={"f1": {}})),
    "an entrypoint that is a text": ("bad_manifest", a_manifest(entrypoints=["f1"])),
    "an entrypoint without flow": ("bad_manifest", a_manifest(entrypoints=[{"name": "x"}])),
    "an entrypoint with a bad flow": ("bad_id", a_manifest(entrypoints=[{"flow_id": "a b"}])),
    "an entrypoint twice": ("duplicate_entrypoint", a_manifest(entrypoints=TWO)),
    "an entrypoint without its flow": ("flow_missing", a_manifest(flows={"f2": "flows/f2.json"})),
    "no flows": ("flow_missing", a_manifest(flows=None)),
    "a name that is a number": (
        "bad_manifest",
        a_manifest(entrypoints=[{"flow_id": "f1", "name": 1}]),
    ),
    "interfaces as a text": (
        "bad_manifest",
        a_manifest(entrypoints=[{"flow_id": "f1", "interfaces": "a"}]),
    ),
    "interfaces of numbers": (
        "bad_manifest",
        a_manifest(entrypoints=[{"flow_id": "f1", "interfaces": [1]}]),
    ),
    "a default that is no entrypoint": ("unknown_entrypoint", a_manifest(default_entrypoint="f2")),
    "a default that is a number": ("bad_manifest", a_manifest(default_entrypoint=1)),
    "a date that is a number": ("bad_manifest", a_manifest(created_at=1767225600)),
    "a date of 10 kB": ("bad_manifest", a_manifest(created_at="2" * 10_000)),
    "flows as a list": ("bad_manifest", a_manifest(flows=["flows/f1.json"])),
    "a flow that is no path": ("bad_manifest", a_manifest(flows={"f1": {}})),
    "a flow of a bad name": ("bad_id", a_manifest(flows={"f1": "f1", "f/2": "f2"})),
    "a flow elsewhere": ("unsafe_path", a_manifest(flows={"f1": "../f1.json"})),
    "an asset elsewhere": ("unsafe_path", a_manifest(assets={"a": "/etc/passwd"})),
    "an asset of a drive": ("unsafe_path", a_manifest(assets={"a": "C:a"})),
    "an asset without name": ("bad_manifest", a_manifest(assets={"": "assets/a"})),
    "an artifact elsewhere": ("unsafe_path", a_manifest(artifacts={"a": "a\\..\\b"})),
    "metadata as a list": ("bad_manifest", a_manifest(metadata=[])),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_manifest_is_refused_for_its_own_reason(case: str) -> None:
    reason, value = REFUSED[case]
    with pytest.raises(BundleRefused) as refused:
        read_manifest(value)
    assert refused.value.facts["reason"] == reason
    assert len(refused.value.detail) < 400


def test_an_unsafe_path_names_its_fault() -> None:
    with pytest.raises(BundleRefused) as refused:
        read_manifest(a_manifest(flows={"f1": "flows/../../f1.json"}))
    assert refused.value.facts == {"reason": "unsafe_path", "fault": "zip_slip"}


def test_what_is_left_out_has_a_default() -> None:
    least = {
        "bundle_format_version": "1",
        "bundle_id": "small",
        "entrypoints": [{"flow_id": "f1"}],
        "flows": {"f1": "f1.json"},
    }
    assert read_manifest(least) == Manifest(
        bundle_id="small",
        bundle_version="0.0.0",
        entrypoints=(Entrypoint("f1", name="f1", description="", interfaces=()),),
        flows={"f1": "f1.json"},
    )


def test_null_is_the_same_as_left_out() -> None:
    optional = ("created_at", "default_entrypoint", "artifacts", "assets", "metadata")
    with_nulls = {**a_manifest(), **dict.fromkeys(optional)}
    without = {name: it for name, it in a_manifest().items() if name not in optional}
    assert read_manifest(with_nulls) == read_manifest(without)


def test_both_spellings_are_read_and_one_is_written() -> None:
    camel = {
        "bundleFormatVersion": 1,
        "bundleId": "b",
        "bundleVersion": "2.0",
        "createdAt": "2026-01-01",
        "entrypoints": [{"flowId": "f1", "name": "one", "interfaces": ["i"]}],
        "defaultEntrypoint": "f1",
        "flows": {"f1": "f1.json"},
        "assets": {"logo": "assets/logo.png"},
        "metadata": {"a": 1},
    }
    manifest = read_manifest(camel)
    assert write_manifest(manifest) == {
        "bundle_format_version": "1",
        "bundle_id": "b",
        "bundle_version": "2.0",
        "created_at": "2026-01-01",
        "entrypoints": [{"flow_id": "f1", "name": "one", "description": "", "interfaces": ["i"]}],
        "default_entrypoint": "f1",
        "flows": {"f1": "f1.json"},
        "artifacts": {},
        "assets": {"logo": "assets/logo.png"},
        "metadata": {"a": 1},
    }
    assert read_manifest(write_manifest(manifest)) == manifest


@pytest.mark.parametrize("default", [None, ""], ids=["null", "empty"])
def test_without_a_default_there_is_no_key(default: str | None) -> None:
    manifest = read_manifest({**a_manifest(), "default_entrypoint": default})
    assert manifest.default_entrypoint is None
    assert "default_entrypoint" not in write_manifest(manifest)
