"""Nodes that keep, find and shorten what a run or a session remembers. Each is one effect."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.model import NodeType
from perdure.features.flows.nodes.asking import Asking, asks
from perdure.kernel.model import EffectClass

KEPT = EffectClass.IDEMPOTENT

TYPES: Final[Mapping[str, NodeType]] = {
    "memory_note": asks(
        Asking("memory_note", KEPT),
        "content scope location tags sources keep_in_context -> note_id success result",
        "Keeps a note.",
    ),
    "memory_query": asks(
        Asking("memory_query"),
        "query recall_level limit tags tags_mode usernames locations since until scope -> results rendered success",
        "Finds what was kept.",
    ),
    "memory_tag": asks(
        Asking("memory_tag", KEPT),
        "span_id scope tags merge -> success rendered",
        "Puts tags on what was kept.",
    ),
    "memory_compact": asks(
        Asking("memory_compact", KEPT),
        "preserve_recent compression_mode focus -> span_id success result",
        "Shortens the run's conversation and keeps what it was.",
    ),
    "memory_rehydrate": asks(
        Asking("memory_rehydrate", KEPT),
        "span_ids placement recall_level max_messages -> inserted skipped success",
        "Puts what was kept back into the run's conversation.",
    ),
    "memory_kg_assert": asks(
        Asking("memory_kg_assert", KEPT),
        "assertions scope span_id owner_id attributes_defaults allow_custom_predicates -> assertion_ids count ok",
        "Writes facts into the knowledge graph.",
    ),
    "memory_kg_query": asks(
        Asking("memory_kg_query"),
        "query_text subject predicate object since until active_at scope recall_level owner_id min_score max_input_tokens model limit -> items count ok packets active_memory_text packed_count dropped estimated_tokens raw",
        "Finds facts in the knowledge graph.",
    ),
    "memory_kg_resolve": asks(
        Asking("memory_kg_resolve"),
        "label expected_type scope recall_level max_candidates min_score include_semantic owner_id -> candidates count ok raw",
        "Finds what a name may stand for in the knowledge graph.",
    ),
    "memact_compose": asks(
        Asking("memact_compose"),
        "kg_result stimulus marker max_items -> ok delta trace active_memory memact_blocks memact_system_prompt",
        "Puts facts together into an active memory for a model.",
    ),
}
