"""Memory: without what keeps it the run says so."""

from perdure.kernel.model import Ok
from perdure.kernel.values import Json
from tests.support.tables import Table, passing, row, told

NOTHING_HERE = "not_configured: nothing here performs effects of the kind"


def _kept(type: str, pins: dict[str, Json], gives: dict[str, Json]) -> list[Table]:
    """What the effect answers, whole or as the result of a tool, is what the pins give out."""
    wrapped = {"mode": "executed", "results": [{"success": True, "output": gives}]}
    return [
        passing(type, *pins, out=" ".join(gives)).rows(
            told(row(pins, **gives), effects={type: Ok(gives)}), told(row(pins, **gives), effects={type: Ok(wrapped)}),
            row(pins, fails=NOTHING_HERE),
        )
    ]  # fmt: skip


TABLES = {
    "memory_note": _kept("memory_note", {"content": "c", "tags": {"topic": "t"}}, {"note_id": "n"}),
    "memory_query": _kept("memory_query", {"query": "q", "limit": 3}, {"results": [{"span_id": "s"}], "rendered": "s"}),
    "memory_tag": _kept("memory_tag", {"span_id": "s", "tags": {"a": "b"}}, {"rendered": "ok"}),
    "memory_compact": _kept("memory_compact", {"preserve_recent": 6}, {"span_id": "s"}),
    "memory_rehydrate": _kept("memory_rehydrate", {"span_ids": ["s"]}, {"inserted": 1, "skipped": 0}),
    "memory_kg_assert": _kept("memory_kg_assert", {"assertions": [{}]}, {"assertion_ids": ["a"], "count": 1, "ok": True}),
    "memory_kg_query": _kept("memory_kg_query", {"subject": "s"}, {"items": [], "count": 0, "ok": True}),
    "memory_kg_resolve": _kept("memory_kg_resolve", {"label": "l"}, {"candidates": [], "count": 0, "ok": True}),
    "memact_compose": _kept("memact_compose", {"stimulus": "s"}, {"ok": True, "delta": {}, "memact_blocks": []}),
}  # fmt: skip
