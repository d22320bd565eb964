"""Bytes become a bundle or a refusal, never anything else; a bundle becomes the same bytes again."""

import json
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.bundles.codec import pack_bundle, pack_files, read_bundle
from perdure.bundles.flow import input_pins, input_schema, node_index
from perdure.errors import BundleRefused
from tests.bundles.archives import (
    Entry,
    a_bundle,
    a_flow,
    a_manifest,
    a_zip,
    entries,
    reason_of,
    the_files,
    zipped,
)

REAL = sorted((Path(__file__).parents[1] / "data" / "flows").glob("*.flow"))
GOOD = zipped(the_files())


def files_with(**fields: Any) -> dict[str, bytes]:
    """The files of the smallest bundle, with `fields` in its manifest."""
    return {**the_files(), "manifest.json": json.dumps(a_manifest(**fields)).encode()}


CONTENTS: dict[str, tuple[str, dict[str, bytes]]] = {
    "nothing": ("missing_manifest", {}),
    "no manifest": ("missing_manifest", {"flows/f1.json": b"{}"}),
    "manifest in a folder": (
        "missing_manifest",
        {f"b/{name}": it for name, it in the_files().items()},
    ),
    "manifest in capitals": ("missing_manifest", {"Manifest.json": b"{}"}),
    "manifest that is not JSON": ("bad_json", {**the_files(), "manifest.json": b"{"}),
    "manifest that is no object": ("bad_manifest", {**the_files(), "manifest.json": b"[]"}),
    "unknown version": ("unknown_version", files_with(bundle_format_version="2")),
    "no flow file": ("flow_missing", files_with(flows={"f1": "flows/other.json"})),
    "no file of a further flow": (
        "flow_missing",
        files_with(flows={"f1": "flows/f1.json", "f2": "f2"}),
    ),
    "flow of another id": ("flow_id_mismatch", {**the_files(), "flows/f1.json": b'{"id": "f2"}'}),
    "flow that is no flow": ("bad_flow", {**the_files(), "flows/f1.json": b"[]"}),
    "flow that is not JSON": ("bad_json", {**the_files(), "flows/f1.json": b"<flow/>"}),
    "flow with a key twice": (
        "duplicate_key",
        {**the_files(), "flows/f1.json": b'{"id":1,"id":2}'},
    ),
    "flow with half a character": (
        "lone_surrogate",
        {**the_files(), "flows/f1.json": b'["\\ud800"]'},
    ),
    "flow that is the manifest": ("flow_id_mismatch", files_with(flows={"f1": "manifest.json"})),
    "no asset file": ("asset_missing", files_with(assets={"logo": "assets/logo.png"})),
    "asset elsewhere": ("unsafe_path", files_with(assets={"logo": "../logo.png"})),
}


@pytest.mark.parametrize("case", CONTENTS)
def test_contents_that_make_no_bundle_are_refused(case: str) -> None:
    reason, files = CONTENTS[case]
    assert reason_of(zipped(files)) == reason
    with pytest.raises(BundleRefused) as refused:
        pack_files(files)
    assert refused.value.facts["reason"] == reason


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_bundles_drawn_elsewhere_are_read(path: Path) -> None:
    raw = path.read_bytes()
    bundle = read_bundle(raw)
    assert bundle.file_name == path.name
    assert (bundle.sha256, bundle.size) == (sha256(raw).hexdigest(), len(raw))
    flow = bundle.flow(bundle.default_flow())
    assert "prompt" in {pin["id"] for pin in input_pins(flow)}
    assert input_schema(flow)["inputs"]
    assert len(node_index(flow)) == len(flow["nodes"])


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_what_is_packed_again_is_the_same_bundle(path: Path) -> None:
    first = read_bundle(path.read_bytes())
    packed = pack_bundle(first.manifest, first.flows, first.assets)
    again = read_bundle(packed)
    assert (again.manifest, again.flows, again.assets) == (
        first.manifest,
        first.flows,
        first.assets,
    )
    assert pack_bundle(again.manifest, again.flows, again.assets) == packed


def test_a_stream_and_its_bytes_are_one_bundle() -> None:
    assert read_bundle(BytesIO(GOOD)) == read_bundle(GOOD)


def test_a_stream_is_read_from_where_it_stands() -> None:
    stream = BytesIO(b"head" + GOOD)
    stream.seek(4)
    assert read_bundle(stream) == read_bundle(GOOD)


def test_what_the_manifest_does_not_name_is_checked_and_dropped() -> None:
    bundle = a_bundle(README="hello", assets__logo="png")
    assert (set(bundle.flows), set(bundle.assets)) == ({"f1"}, set())
    assert reason_of(a_zip([*entries(), Entry("README", b"hello", crc=1)])) == "bad_checksum"


def test_assets_are_kept_byte_for_byte() -> None:
    logo = bytes(range(256))
    files = {**files_with(assets={"logo": "assets/logo.png"}), "assets/logo.png": logo}
    assert read_bundle(zipped(files)).assets == {"logo": logo}
    assert read_bundle(pack_files(files)).assets == {"logo": logo}


def test_the_same_folder_gives_the_same_bytes_whatever_its_line_ends() -> None:
    files = the_files()
    windows = {
        name: json.dumps(json.loads(raw), indent=4).replace("\n", "\r\n").encode()
        for name, raw in reversed(files.items())
    }
    assert pack_files(files) == pack_files(windows)


def test_another_folder_gives_other_bytes() -> None:
    changed = {**the_files(), "flows/f1.json": json.dumps(a_flow(name="changed")).encode()}
    assert pack_files(the_files()) != pack_files(changed)


def test_a_file_that_the_manifest_forgot_is_named() -> None:
    with pytest.raises(BundleRefused) as refused:
        pack_files(the_files(flows__f2="{}"))
    assert refused.value.facts == {"reason": "unlisted_file", "member": "flows/f2"}


def test_what_is_packed_has_what_the_manifest_names() -> None:
    bundle = a_bundle()
    for flows, assets in (
        ({}, {}),
        (bundle.flows, {"logo": b""}),
        ({**bundle.flows, "f2": {}}, {}),
    ):
        with pytest.raises(BundleRefused, match="other flows or assets"):
            pack_bundle(bundle.manifest, flows, assets)


def refused_manifests() -> dict[str, tuple[str, dict[str, Any]]]:
    """Changes to a good manifest that cannot be packed."""
    same = {"a": "assets/a", "b": "assets/a"}
    fold = {"a": "assets/a", "b": "assets/A"}
    return {
        "not an id": ("bad_id", {"bundle_id": "a b"}),
        "unsafe": ("unsafe_path", {"assets": {"a": "../a", "b": "b"}}),
        "surrogate": ("unsafe_path", {"assets": {"a": "\ud800", "b": "b"}}),
        "one path for two": ("duplicate_member", {"assets": same}),
        "one path but for case": ("duplicate_member", {"assets": fold}),
        "long name": ("name_too_long", {"assets": {"a": "a" * 70_000, "b": "b"}}),
        "not JSON": ("not_json", {"metadata": {"at": object()}}),
    }


@pytest.mark.parametrize("case", refused_manifests())
def test_what_could_not_be_read_back_is_not_packed(case: str) -> None:
    reason, changes = refused_manifests()[case]
    bundle = a_bundle()
    manifest = replace(bundle.manifest, **{"assets": {"a": "a", "b": "b"}, **changes})
    with pytest.raises(BundleRefused) as refused:
        pack_bundle(manifest, bundle.flows, {"a": b"1", "b": b"2"})
    assert refused.value.facts["reason"] == reason


def test_what_no_zip_can_say_is_refused_before_it_is_written() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return 2**33

    bundle = a_bundle()
    many = {f"a{number}": b"" for number in range(70_000)}
    for assets, reason in (({"a": Huge()}, "archive_too_large"), (many, "too_many_members")):
        manifest = replace(bundle.manifest, assets={name: name for name in assets})
        with pytest.raises(BundleRefused) as refused:
            pack_bundle(manifest, bundle.flows, assets)
        assert refused.value.facts["reason"] == reason


def read_or_refused(raw: bytes) -> None:
    """Read `raw`; nothing but a refusal with a reason and a sendable sentence may come of it."""
    try:
        read_bundle(raw)
    except BundleRefused as refused:
        assert refused.facts["reason"]
        json.dumps(refused.facts).encode()
        refused.detail.encode()


flips = st.lists(st.tuples(st.integers(0), st.integers(1, 255)), min_size=1, max_size=8)


SPOILT = {"small": GOOD, "by hand": a_zip(entries()), **{it.stem: it.read_bytes() for it in REAL}}


@pytest.mark.parametrize("name", SPOILT)
@settings(max_examples=150)
@given(flips=flips)
def test_flipped_bytes_never_raise_anything_but_a_refusal(
    name: str, flips: list[tuple[int, int]]
) -> None:
    spoilt = bytearray(SPOILT[name])
    for at, change in flips:
        spoilt[at % len(spoilt)] ^= change
    read_or_refused(bytes(spoilt))


@given(at=st.integers(0, len(GOOD)), length=st.integers(0, len(GOOD)), put=st.binary(max_size=40))
def test_cut_and_spliced_bytes_never_raise_anything_but_a_refusal(
    at: int, length: int, put: bytes
) -> None:
    read_or_refused(GOOD[:at] + put + GOOD[at + length :])


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_a_refusal(raw: bytes) -> None:
    read_or_refused(raw)
    read_or_refused(GOOD[:-22] + raw + GOOD[-22:])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.sampled_from(sorted(a_manifest())), json_values)
def test_no_manifest_raises_anything_but_a_refusal(name: str, value: object) -> None:
    manifest = json.dumps({**a_manifest(), name: value}).encode()
    read_or_refused(zipped({**the_files(), "manifest.json": manifest}))


@given(st.sampled_from(["id", "nodes", "edges", "entryNode", "data"]), json_values)
def test_no_flow_raises_anything_but_a_refusal(name: str, value: object) -> None:
    node = {"id": "s", "type": "on_flow_start", "data": {"outputs": [value], "pinDefaults": value}}
    flow = {**a_flow(nodes=[node if name == "data" else value]), name: value}
    raw = zipped({**the_files(), "flows/f1.json": json.dumps(flow).encode()})
    read_or_refused(raw)
