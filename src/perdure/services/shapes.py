"""What the file of an import may say: whoever makes digests can make them of anything.

Each check raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` for what no run has.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import orjson

from perdure.clock import text_of, time_of
from perdure.ids import is_run_id
from perdure.kernel.limits import INTEGER_MAX
from perdure.kernel.values import Json
from perdure.services.retold import is_event
from perdure.stores.records import FIELDS

DEPTH_MAX: Final = 2**31 - 1
_NAMES: Final = ("gone", "placed", "offloaded")  # lists of names in a detail


def _check(fits: bool) -> None:
    if not fits:
        raise ValueError("the manifest holds what no run has")


def read_json(content: bytes) -> Json:
    """JSON that can be written again: one nested too deeply can be read and no more."""
    value = orjson.loads(content)
    orjson.dumps(value)
    return value


def read_object(content: bytes) -> Json:
    """An object, with nothing about it: the bytes of a record get their hashes before the last brace."""
    _check(content[:1] + content[-1:] == b"{}")
    return read_json(content)


def values_of(detail: Mapping[str, Json]) -> Iterator[str]:
    """The artifacts that hold what was too large for a record."""
    yield from detail.get("placed", ())
    for name in detail.get("offloaded", ()):
        yield detail["writes"][name]["$artifact"]


def check_record(body: Json, detail: Json) -> None:
    """Hold a record against what a ledger has."""
    _check(isinstance(body, dict) and body.keys() == FIELDS and isinstance(detail, dict))
    texts = (body[it] for it in ("step_id", "node_id", "status", "started_at"))
    _check(all(isinstance(it, str) for it in texts))
    _check(
        _is_time(body["started_at"]) and (body["ended_at"] is None or _is_time(body["ended_at"]))
    )
    _check(all(isinstance(body[it], str | None) for it in ("error", "idempotency_key")))
    _check_effect(body["effect"], body["status"], body["result"])
    _check(isinstance(detail.get("writes", {}), dict))
    _check(all(isinstance(detail.get(it, []), list) for it in (*_NAMES, "attempts", "events")))
    _check(all(isinstance(name, str) for it in _NAMES for name in detail.get(it, ())))
    _check(all(isinstance(it, str) for it in values_of(detail)))
    _check(all(is_event(it) and _is_time(it[0]) for it in detail.get("events", ())))


def _check_effect(effect: Json, status: str, result: Json) -> None:
    """Hold what a record is about against what it can be: an effect, an answer, a wait."""
    if effect is not None:
        _check(isinstance(effect["type"], str) and "payload" in effect)
        if effect["type"] == "resume" and status == "completed":
            _check(
                isinstance(effect["payload"]["wait_key"], str) and "payload" in effect["payload"]
            )
    if status == "waiting":
        _check(isinstance(result["wait"].get("details"), dict | None))


def _is_count(value: Json) -> bool:
    return type(value) is int and 0 <= value <= INTEGER_MAX


def _is_text(value: Json) -> bool:
    return isinstance(value, str) and "\0" not in value  # which no store of ours keeps in a column


def _is_time(value: Json) -> bool:
    return isinstance(value, str) and text_of(time_of(value)) == value


def check_header(header: Mapping[str, Json]) -> None:
    """Hold a header against what a run has: whoever makes digests can make them of anything."""
    birth = header["birth"]
    for name in ("id", "root_id"):
        _check(is_run_id(birth[name]))
    _check(birth["parent_id"] is None or is_run_id(birth["parent_id"]))
    _check((birth["parent_id"] is None) is (birth["depth"] == 0) and birth["depth"] <= DEPTH_MAX)
    _check(birth["parent_key"] is None or _is_text(birth["parent_key"]))
    for name in ("workflow_id", "session_id", "actor_id", "prompt"):
        _check(_is_text(birth[name]))
    kind, bundle, program = birth["program"]
    _check(_is_text(kind) and _is_text(program) and (bundle is None or _is_text(bundle)))
    _check(birth["lifecycle"] is None or isinstance(birth["lifecycle"], dict))
    _check(all(map(_is_count, (birth["depth"], *birth["limits"].values()))))
    _check(header["version"] > 0 and all(map(_is_count, (header["version"], header["seq"]))))
    _check(all(map(_is_time, (birth["created_at"], header["updated_at"]))))
    _check(isinstance(header["node_id"], str) and isinstance(header["error"], str | None))
    *counts, cost = header["usage"]
    _check(all(map(_is_count, counts)) and type(cost) in (int, float) and 0 <= cost <= INTEGER_MAX)
    _check(all(isinstance(it, str) for it in header["warnings"]))
    if (point := birth["forked_from"]) is not None:
        origin, seq = point
        _check(is_run_id(origin) and _is_count(seq))
    if (deadline := birth.get("deadline")) is not None:  # of which older files say nothing
        at, of = deadline
        _check(_is_time(at) and is_run_id(of))


def check_artifact(told: Mapping[str, Json]) -> None:
    """Hold what is said of an artifact against what is kept of one."""
    texts = (told[it] for it in ("id", "owner", "sha256", "content_type", "created_at", "kind"))
    _check(all(map(_is_text, texts)))
    _check(told["session_id"] is None or _is_text(told["session_id"]))
    _check(isinstance(told["tags"], dict))
    if told["made_by"] is not None:
        *names, node_id, step_id, seq = told["made_by"]
        _check(len(names) == 3 and all(map(_is_text, names)))
        _check(all(it is None or _is_text(it) for it in (node_id, step_id)))
        _check(seq is None or _is_count(seq))
