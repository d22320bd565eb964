"""Zips made by hand, so that each field of them can lie, and a small bundle to put in them."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from struct import pack
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from perdure.bundles.bundle import Bundle
from perdure.bundles.codec import read_bundle
from perdure.bundles.limits import DEFAULT_LIMITS, BundleLimits
from perdure.errors import BundleRefused

REGULAR = 0o100644 << 16
ENTRY = {"id": "start", "type": "on_flow_start", "data": {}}


def a_manifest(**fields: Any) -> dict[str, Any]:
    """The manifest of the smallest bundle, with `fields` put in or, where `None`, left out."""
    manifest = {
        "bundle_format_version": "1",
        "bundle_id": "small",
        "bundle_version": "1.0.0",
        "created_at": "2026-01-01T00:00:00+00:00",
        "entrypoints": [{"flow_id": "f1", "name": "one", "description": "", "interfaces": []}],
        "flows": {"f1": "flows/f1.json"},
        **fields,
    }
    return {name: value for name, value in manifest.items() if value is not None}


def a_flow(flow_id: str = "f1", **fields: Any) -> dict[str, Any]:
    """The smallest flow."""
    return {"id": flow_id, "name": flow_id, "nodes": [ENTRY], "edges": [], **fields}


def the_files(**extra: bytes | str) -> dict[str, bytes]:
    """The files of the smallest bundle, and `extra` ones whose names are given as `a__b` for a/b."""
    files = {
        "manifest.json": json.dumps(a_manifest()).encode(),
        "flows/f1.json": json.dumps(a_flow()).encode(),
    }
    for name, raw in extra.items():
        files[name.replace("__", "/")] = raw.encode() if isinstance(raw, str) else raw
    return files


@dataclass
class Entry:
    """One member, and what its headers say of it where that is not the truth."""

    name: str | bytes
    raw: bytes = b""
    method: int = 8
    flags: int = 0
    local_flags: int | None = None
    local_name: bytes | None = None
    outer: int = REGULAR
    crc: int | None = None
    size: int | None = None
    packed: bytes | None = None
    packed_size: int | None = None
    offset: int | None = None
    disk: int = 0

    @property
    def label(self) -> bytes:
        """The name as bytes."""
        return self.name if isinstance(self.name, bytes) else self.name.encode()

    @property
    def body(self) -> bytes:
        """The packed bytes."""
        if self.packed is not None:
            return self.packed
        return deflated(self.raw) if self.method == 8 else self.raw


def deflated(raw: bytes) -> bytes:
    """`raw` as a bare deflate stream."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return engine.compress(raw) + engine.flush()


def entries(files: Mapping[str, bytes] | None = None) -> list[Entry]:
    """Honest members for `files`, or for the smallest bundle."""
    return [Entry(name, raw) for name, raw in (the_files() if files is None else files).items()]


def a_zip(
    members: list[Entry], *, end: Mapping[str, int] | None = None, comment: bytes = b""
) -> bytes:
    """Write the members; `end` overrides fields of the end record."""
    body, directory = b"", b""
    for it in members:
        crc = zlib.crc32(it.raw) if it.crc is None else it.crc
        size = len(it.raw) if it.size is None else it.size
        length = len(it.body) if it.packed_size is None else it.packed_size
        flags = it.flags if it.local_flags is None else it.local_flags
        label = it.label if it.local_name is None else it.local_name
        at = len(body) if it.offset is None else it.offset
        shared = (0, 33, crc, length, size)
        body += pack("<4s5H3L2H", b"PK\3\4", 20, flags, it.method, *shared, len(label), 0)
        body += label + it.body
        tail = (len(it.label), 0, 0, it.disk, 0, it.outer, at)
        directory += pack("<4s6H3L5H2L", b"PK\1\2", 0x314, 20, it.flags, it.method, *shared, *tail)
        directory += it.label
    fields = {"disk": 0, "first": 0, "here": len(members), "entries": len(members)}
    fields |= {
        "length": len(directory),
        "offset": len(body),
        "comment": len(comment),
        **(end or {}),
    }
    return body + directory + pack("<4s4H2LH", b"PK\5\6", *fields.values()) + comment


def zipped(files: Mapping[str, bytes]) -> bytes:
    """`files` as the standard library packs them."""
    stream = BytesIO()
    with ZipFile(stream, "w", ZIP_DEFLATED) as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    return stream.getvalue()


def a_bundle(**extra: bytes | str) -> Bundle:
    """The smallest bundle, read."""
    return read_bundle(zipped(the_files(**extra)))


def reason_of(source: bytes, limits: BundleLimits = DEFAULT_LIMITS) -> str:
    """Why `read_bundle` refuses `source`. Fails if it does not."""
    with pytest.raises(BundleRefused) as refused:
        read_bundle(source, limits)
    return str(refused.value.facts["reason"])
