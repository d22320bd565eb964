"""Text made of text, of values and of JSON."""

from tests.support.tables import pure, row

FENCED = 'It is:\n```json\n{"a": [1]}\n```'

TABLES = {
    "concat": [
        pure("concat", "a", "b", concatConfig={"separator": "\\n"}).rows(row({"a": "x", "b": 2}, result="x\n2")),
        pure("concat", "a", "b").rows(row({"a": "x", "b": "y"}, result="x y")),
    ],
    "split": [
        pure("split", "text", "delimiter").rows(
            row({"text": "a, b,,", "delimiter": ","}, result=["a", "b"]), row({"text": "a", "delimiter": ""}, result=["a"])
        )
    ],
    "join": [
        pure("join", "items", "delimiter").rows(
            row({"items": ["a", None, 1], "delimiter": "-"}, result="a--1"), row({"items": "a", "delimiter": ","}, result="a")
        )
    ],
    "format": [
        pure("format", "template", "values").rows(
            row({"template": "{a} is {b:.1f}", "values": {"a": "it", "b": 2}}, result="it is 2.0"),
            row({"template": "{c}", "values": {}}, fault="'c', which is not there"),
            row({"template": "{a.__class__}", "values": {"a": 1}}, fault="which is not there"),
        )
    ],
    "string_template": [
        pure("string_template", "template", "vars").rows(
            row({"template": "{{a.b[0]}}/{{no}}/{{c | join('+') | upper}}", "vars": {"a": {"b": ["x"]}, "c": ["y", 1]}}, result="x//Y+1"),
            row({"template": "{{a | json}}", "vars": {"a": {"k": 1}}}, result='{"k": 1}'),
        )
    ],
    "uppercase": [pure("uppercase", "text").rows(row({"text": "aé"}, result="AÉ"))],
    "lowercase": [pure("lowercase", "text").rows(row({"text": "AÉ"}, result="aé"))],
    "trim": [pure("trim", "text").rows(row({"text": "  a b\n"}, result="a b"), row(result=""))],
    "is_empty_string": [
        pure("is_empty_string", "text").rows(row(result=True), row({"text": " "}, result=False))
    ],
    "contains": [
        pure("contains", "text", "pattern").rows(
            row({"text": "abc", "pattern": "b"}, result=True), row({"text": "abc", "pattern": ""}, result=False)
        )
    ],
    "replace": [
        pure("replace", "text", "pattern", "replacement", "mode").rows(
            row({"text": "aaa", "pattern": "a", "replacement": "b"}, result="bbb"),
            row({"text": "aaa", "pattern": "a", "replacement": "b", "mode": "first"}, result="baa"),
            row({"text": "aaa", "pattern": "a", "replacement": "b", "mode": "2"}, result="bba"),
        )
    ],
    "substring": [
        pure("substring", "text", "start", "end").rows(row({"text": "abcd", "start": 1, "end": 3}, result="bc"))
    ],
    "length": [pure("length", "text").rows(row({"text": "abé"}, result=3), row(result=0))],
    "parse_json": [
        pure("parse_json", "text").rows(
            row({"text": FENCED}, result={"a": [1]}), row({"text": "7"}, result={"value": 7}),
            row({"text": "{'a': True}"}, result={"a": True}), row({"text": "no"}, fault="the text is no JSON"),
        )
    ],
    "stringify_json": [
        pure("stringify_json", "value", "mode").rows(
            row({"value": {"a": 1}, "mode": "minified"}, result='{"a":1}'),
            row({"value": {"a": 1}}, result='{\n  "a": 1\n}'), row({"value": "[1]", "mode": "none"}, result="[1]"),
        )
    ],
    "format_tool_results": [
        pure("format_tool_results", "tool_results").rows(
            row({"tool_results": [
                {"name": "look", "success": True, "arguments": {"path": "a.txt"}, "output": "two\nlines"},
                {"name": "act", "success": False, "error": "no way"}, {"tool": "see"},
            ]}, result="- look(a.txt) [SUCCESS] : two lines\n- act() [FAILURE] : no way\n- see() [DONE] : (no output)"),
            row(result=""),
        )
    ],
    "agent_trace_report": [
        pure("agent_trace_report", "scratchpad").rows(
            row({"scratchpad": {"task": "find it", "steps": [
                {"node_id": "reason", "status": "completed", "effect": {"type": "llm_call"}, "result": {"content": "here"}}
            ]}}, result="# Agent trace\n- task: find it\n\n## 1. reason\n- status: completed\n- effect: llm_call\n- result: here\n"),
            row(result="# Agent trace\n"),
        )
    ],
}  # fmt: skip
