"""Bytes to bundle and back. What is refused says why in `reason`; nothing else is ever raised.

| reason | of |
|---|---|
| `not_a_zip` `damaged` `unsupported_zip64` `bad_checksum` `size_mismatch` | the archive |
| `archive_too_large` `too_many_members` `name_too_long` `member_too_large` `total_too_large` `ratio_too_high` | its size |
| `zip_slip` `absolute_path` `drive_path` `backslash_path` `dot_segment` `empty_segment` `trailing_dot` `control_character` `empty_name` `bad_name` | a member's name |
| `duplicate_member` `path_conflict` `overlapping_members` `symlink_member` `special_member` `encrypted_member` `unsupported_compression` | a member |
| `missing_manifest` `bad_manifest` `unknown_version` `bad_id` `unsafe_path` `duplicate_entrypoint` `unknown_entrypoint` | the manifest |
| `flow_missing` `bad_flow` `flow_id_mismatch` `asset_missing` `unlisted_file` | what it names |
| `documents_too_large` `too_many_values` `too_deep` `bad_utf8` `bad_json` `not_json` `duplicate_key` `not_finite` `big_integer` `nul_character` `lone_surrogate` | a JSON file |
"""

from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from typing import BinaryIO

from perdure.bundles.archive import Archive, write_archive
from perdure.bundles.bundle import Bundle
from perdure.bundles.document import Json, read_document, values_in, write_document
from perdure.bundles.flow import check_flow
from perdure.bundles.limits import DEFAULT_LIMITS, MIB, BundleLimits
from perdure.bundles.manifest import MANIFEST_NAME, Manifest, read_manifest, write_manifest
from perdure.bundles.paths import quoted
from perdure.errors import BundleRefused
from perdure.ids import BundleSha


def read_bundle(source: bytes | BinaryIO, limits: BundleLimits = DEFAULT_LIMITS) -> Bundle:
    """Read and check a bundle, whole or not at all. Raises `BundleRefused`.

    A stream is read once, from where it stands, so that hash and contents are of the same
    bytes. Members that the manifest does not name are inflated and checked as well, and dropped.
    """
    raw = _bounded(source, limits.archive_bytes_max)
    archive = Archive(raw, limits)
    manifest, flows, assets = _contents(archive.names, archive.read, limits)
    named = {MANIFEST_NAME, *manifest.flows.values(), *manifest.assets.values()}
    for name in archive.names:
        if name not in named:
            archive.check(name)
    return Bundle(manifest, flows, assets, BundleSha(sha256(raw).hexdigest()), len(raw))


def pack_bundle(
    manifest: Manifest,
    flows: Mapping[str, Json],
    assets: Mapping[str, bytes],
    limits: BundleLimits = DEFAULT_LIMITS,
) -> bytes:
    """Write a bundle that `read_bundle` takes. The same contents, the same bytes.

    `flows` and `assets` have the very keys that the manifest has. Raises `BundleRefused`.
    """
    manifest = read_manifest(write_manifest(manifest))
    if flows.keys() != manifest.flows.keys() or assets.keys() != manifest.assets.keys():
        raise BundleRefused(
            "The manifest names other flows or assets than there are.", reason="unlisted_file"
        )
    files = [(MANIFEST_NAME, write_document(write_manifest(manifest), MANIFEST_NAME))]
    files += [(path, write_document(flows[key], path)) for key, path in manifest.flows.items()]
    files += [(path, assets[key]) for key, path in manifest.assets.items()]
    _check_files(files, limits)
    packed = write_archive(dict(files))
    read_bundle(packed, limits)
    return packed


def pack_files(files: Mapping[str, bytes], limits: BundleLimits = DEFAULT_LIMITS) -> bytes:
    """Pack the files of a readable bundle folder, by their names in it. Raises `BundleRefused`.

    JSON is written anew, so that line ends and spaces of a checkout do not change the bundle.
    A file that the manifest does not name is refused: it was forgotten there, or does not belong.
    """
    manifest, flows, assets = _contents(files, files.__getitem__, limits)
    named = {MANIFEST_NAME, *manifest.flows.values(), *manifest.assets.values()}
    for name in sorted(files):
        if name not in named:
            raise BundleRefused(
                f"The manifest does not name {quoted(name)}.", reason="unlisted_file", member=name
            )
    return pack_bundle(manifest, flows, assets, limits)


def _check_files(files: Collection[tuple[str, bytes]], limits: BundleLimits) -> None:
    """Refuse what the container could not hold, before it is written; the rest is read back."""
    if len(files) > limits.members_max:
        raise BundleRefused("The bundle has too many files.", reason="too_many_members")
    if sum(len(raw) for _, raw in files) > limits.archive_bytes_max:
        raise BundleRefused("The bundle is too large.", reason="archive_too_large")
    seen: set[str] = set()
    for name, _ in files:
        if len(name.encode()) > limits.name_bytes_max:
            raise BundleRefused("A file's name is too long.", reason="name_too_long")
        if name in seen:
            raise BundleRefused(
                f"Two contents are to be {quoted(name)}.", reason="duplicate_member", member=name
            )
        seen.add(name)


def _bounded(source: bytes | BinaryIO, bytes_max: int) -> bytes:
    """The bytes of `source`, read piece by piece and no further than the limit."""
    pieces, size = [], 0
    for piece in [source] if isinstance(source, bytes) else iter(lambda: source.read(MIB), b""):
        size += len(piece)
        if size > bytes_max:
            raise BundleRefused(
                f"The archive is larger than {bytes_max} bytes.", reason="archive_too_large"
            )
        pieces.append(piece)
    return b"".join(pieces)


def _contents(
    names: Collection[str], read: Callable[[str], bytes], limits: BundleLimits
) -> tuple[Manifest, dict[str, Json], dict[str, bytes]]:
    """The manifest and all that it names, every document within the limits of all together."""
    documents = _Documents(names, read, limits)
    manifest = read_manifest(documents.read(MANIFEST_NAME, "missing_manifest"))
    flows = {}
    for flow_id, path in manifest.flows.items():
        flows[flow_id] = documents.read(path, "flow_missing")
        check_flow(flows[flow_id], flow_id)
    assets = {}
    for key, path in manifest.assets.items():
        if path not in names:
            raise _missing(path, "asset_missing")
        assets[key] = read(path)
    return manifest, flows, assets


class _Documents:
    """Reads the JSON files of one bundle, counting bytes and values over all of them."""

    def __init__(
        self, names: Collection[str], read: Callable[[str], bytes], limits: BundleLimits
    ) -> None:
        self._names = names
        self._read = read
        self._limits = limits
        self._bytes = self._values = 0

    def read(self, name: str, reason: str) -> Json:
        """Parse one file, or refuse the bundle; for `reason` if there is no such file."""
        if name not in self._names:
            raise _missing(name, reason)
        raw = self._read(name)
        self._bytes += len(raw)
        self._values += values_in(raw)
        if self._bytes > self._limits.documents_bytes_max:
            raise _too_much(name, "documents_too_large", "bytes")
        if self._values > self._limits.values_max:
            raise _too_much(name, "too_many_values", "values")
        return read_document(raw, name, self._limits)


def _missing(name: str, reason: str) -> BundleRefused:
    return BundleRefused(f"There is no {quoted(name)} in it.", reason=reason, member=name)


def _too_much(name: str, reason: str, noun: str) -> BundleRefused:
    return BundleRefused(
        f"With {quoted(name)}, manifest and flows have too many {noun}.", reason=reason, member=name
    )
