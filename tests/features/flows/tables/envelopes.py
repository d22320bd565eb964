"""Shapes that hosts of agents know."""

from tests.support.tables import pure, row

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
FIELDS = {"properties": {"a": {"type": "number"}, "b": {"type": "number"}}, "required": ["a", "b"]}

TABLES = {
    "make_context": [
        pure("make_context", "task", "messages", "context_extra", out="context").rows(
            row({"task": "t", "messages": {"role": "user"}, "context_extra": {"k": 1}}, context={"k": 1, "task": "t", "messages": [{"role": "user"}]}),
            row(context={"task": "", "messages": []}),
        )
    ],
    "make_meta": [
        pure("make_meta", "provider", "model", "iterations", "trace_id", "warnings", "extra", "debug", out="meta").rows(
            row({"provider": " p ", "iterations": "3", "trace_id": "t", "warnings": ["w", ""], "extra": {"k": 1}},
                meta={"k": 1, "schema": "abstractcode.agent.v1.meta", "version": 1, "provider": "p", "iterations": 3,
                      "trace": {"trace_id": "t"}, "warnings": ["w"]}),
            row({"model": "m", "extra": {"provider": "p", "model": "n", "usage": {"total_tokens": 1}}},
                meta={"provider": "p", "model": "m", "usage": {"total_tokens": 1}, "schema": "abstractcode.agent.v1.meta", "version": 1}),
        )
    ],
    "make_scratchpad": [
        pure("make_scratchpad", "sub_run_id", "task", "messages", "steps", out="scratchpad").rows(
            row({"sub_run_id": "r", "steps": [1]},
                scratchpad={"sub_run_id": "r", "task": "", "messages": [], "node_traces": {}, "steps": [1], "tool_calls": [], "tool_results": []}),
        )
    ],
    "edit_json_schema": [
        pure("edit_json_schema", "schema", out="schema", literalValue=FIELDS).rows(
            row({"schema": SCHEMA}, schema={"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "number"}}, "required": ["a", "b"]}),
            row(schema=FIELDS),
        )
    ],
}  # fmt: skip
