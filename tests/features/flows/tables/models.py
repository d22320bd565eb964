"""Models, agents and other flows."""

from unittest.mock import ANY

from perdure.kernel.model import Failed, Ok
from tests.support.drawing import a_flow, a_node, a_start, an_end
from tests.support.tables import passing, row, table, told

SAID = Ok(
    {
        "content": "hello",
        "model": "m",
        "finish_reason": "stop",
        "usage": {"total_tokens": 3},
        "metadata": {"provider": "p"},
    }
)
META = {
    "schema": "abstractflow.llm_call.v1.meta", "version": 1, "output_mode": "unstructured", "tool_calls": 0, "provider": "p", "model": "m",
    "finish_reason": "stop", "usage": {"total_tokens": 3},
}  # fmt: skip
DOUBLE = a_flow(
    {"start": a_start("n"), "add": a_node("add", "a", "b", out="result"), "end": an_end("twice")},
    "start -> add -> end", "start.n => add.a", "start.n => add.b", "add.result => end.twice", id="double",
)  # fmt: skip

TABLES = {
    "llm_call": [
        passing("llm_call", "prompt", out="response meta tool_calls").rows(
            told(row({"prompt": "hi"}, response="hello", meta=META, tool_calls=[]), effects={"llm_call": SAID}),
            told(row({"prompt": "hi"}, fails="upset: gone"), effects={"llm_call": Failed("upset", "gone")}),
        )
    ],
    "agent": [
        passing("agent", "prompt", out="response success meta").rows(
            told(row({"prompt": "hi"}, response="hello", meta=ANY), effects={"llm_call": SAID}),
        )
    ],
    "subflow": [
        table({"start": a_start("n"), "it": a_node("subflow", "n", out="twice output", subflowId="double"), "end": an_end("twice", "output")},
              "start -> it -> end", "start.n => it.n", "it.twice => end.twice", "it.output => end.output", also=(DOUBLE,)).rows(
            row({"n": 2}, twice=4.0, output={"twice": 4.0, "success": True}),
            row({"n": "x"}, twice=None, output={"success": False, "error": ANY, "node": "add"}),
        )
    ],
}  # fmt: skip
