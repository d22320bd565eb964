"""Exports that somebody has changed, with every digest made anew: what a forger can write."""

import io
import json
from collections.abc import Iterator
from typing import Any
from zipfile import ZipFile

import orjson

from perdure.ids import RunId
from perdure.kernel.values import Json
from perdure.services.exports import MANIFEST, Packing
from perdure.stores.records import GENESIS, hash_of

STRANGE: tuple[Json, ...] = (
    None, True, -1, 2**40, 2**70, 1e308, 0.5, "x", "../..", "a\0b", "", [], [1], [[1]], {}, {"a": 1}, {"$artifact": "nothing"},
    "2026-01-01T00:00:00.000000+00:00",
)  # fmt: skip
Opened = dict[
    str, Any
]  # the `manifest`, the `runs` with their cells and records, and the `rest` of the entries


def opened(content: bytes) -> Opened:
    """An export, ready to be changed."""
    with ZipFile(io.BytesIO(content)) as zipped:
        manifest = orjson.loads(zipped.read(MANIFEST))
        rest = {name: zipped.read(name) for name in manifest["entries"]}
    runs = {}
    for run in manifest["runs"]:
        place = f"runs/{run['run_id']}"
        lines = map(orjson.loads, rest.pop(f"{place}/ledger.jsonl").splitlines())
        runs[run["run_id"]] = {
            "cells": orjson.loads(rest.pop(f"{place}/cells.json")),
            "records": [
                {it: orjson.loads(line[it]) for it in ("body", "detail")} for line in lines
            ],
        }
    return {"manifest": manifest, "runs": runs, "rest": rest}


def closed(told: Opened) -> bytes:
    """The file of it, with digests that fit."""
    packing, out, manifest = Packing(), b"", json.loads(_bytes_of(told["manifest"]))
    heads = {}
    for run_id, run in told["runs"].items():
        lines, heads[run_id] = _chained(run_id, run["records"])
        out += b"".join(packing.add(f"runs/{run_id}/cells.json", iter([_bytes_of(run["cells"])])))
        out += b"".join(packing.add(f"runs/{run_id}/ledger.jsonl", iter([lines])))
    for name, content in told["rest"].items():
        out += b"".join(packing.add(name, iter([content])))
    for run in manifest["runs"] if isinstance(manifest.get("runs"), list) else ():
        if isinstance(run, dict) and isinstance(run.get("head_hash"), str):
            run["head_hash"] = heads.get(str(run.get("run_id")), "")
    manifest["entries"] = dict(packing.entries)
    return out + b"".join(packing.add(MANIFEST, iter([_bytes_of(manifest)]))) + packing.close()


def _chained(run_id: str, records: Json) -> tuple[bytes, str]:
    head, lines = GENESIS, b""
    for seq, record in enumerate(records, 1):
        body, detail = _bytes_of(record.get("body")), _bytes_of(record.get("detail"))
        head = hash_of(head, RunId(run_id), seq, body, detail)
        line = {"seq": seq, "hash": head.hex(), "body": body.decode(), "detail": detail.decode()}
        lines += orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    return lines, head.hex()


def _bytes_of(value: Json) -> bytes:
    """JSON, also with numbers that orjson does not write."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def places_in(told: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a value."""
    below = told.items() if isinstance(told, dict) else enumerate(told) if isinstance(told, list) else ()  # fmt: skip
    for key, one in below:
        yield (*path, key)
        yield from places_in(one, (*path, key))


def forged(told: Opened, place: tuple[Any, ...], value: Json) -> bytes:
    """The export with another value at a place of its manifest, or of the cells and records of its runs."""
    part, *path, last = place
    told = {**told, part: orjson.loads(orjson.dumps(told[part]))}
    spot = told[part]
    for step in path:
        spot = spot[step]
    spot[last] = value
    return closed(told)
