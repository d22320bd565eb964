"""An agent in a world of decisions, and a model and tools that answer as the test says."""

from typing import Any

from perdure.features.agents.react import React
from perdure.features.agents.tools import ToolSpec
from perdure.ids import RunId
from perdure.kernel.model import EffectClass, Failed, Ok, Outcome, Run
from perdure.kernel.values import Json
from tests.support.simulation import Simulation

TOOLS = {
    "look": ToolSpec(
        "look", "Look something up", {"properties": {"at": {"type": "string"}}}, EffectClass.READ
    ),
    "send": ToolSpec("send", "Send a message"),
}


def said(content: str | None = "", *calls: tuple[str, Json], **more: Any) -> Ok:
    """What a model says, and the calls (name, arguments) that it makes."""
    told = [
        {"name": name, "arguments": it, "call_id": f"c{i}"} for i, (name, it) in enumerate(calls)
    ]
    usage = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}
    metadata = {"provider": "scripted", **more.pop("metadata", {})}
    return Ok({"content": content, "reasoning": None, "data": None, "tool_calls": told or None, "usage": usage,
               "model": "scripted-1", "finish_reason": "stop", "metadata": metadata, **more})  # fmt: skip


def came(output: Json) -> Ok:
    """What a tool's executor says when it went well."""
    return Ok({"mode": "executed", "results": [{"success": True, "output": output, "error": None}]})


class Agent:
    """One run of the loop."""

    def __init__(self, **inputs: Json) -> None:
        """Start with `in/<name>` for each of `inputs`."""
        self.world = Simulation()
        cells = {f"in/{name}": value for name, value in {"prompt": "the task", **inputs}.items()}
        self.id: RunId = self.world.start(React(TOOLS), cells=cells)

    @property
    def run(self) -> Run:
        """The run as it stands."""
        return self.world.lives[self.id].run

    @property
    def output(self) -> dict[str, Json]:
        """What the run ended well with."""
        assert self.run.status == "completed", self.run.error
        output: dict[str, Json] = self.run.output
        return output

    @property
    def tags(self) -> list[str]:
        """What the run has asked for and not got, by tag."""
        return [entry.what.tag for entry in self.run.open.values()]

    def asked(self, tag: str = "reason") -> dict[str, Json]:
        """What was asked with the effect that is open under `tag`."""
        payload: dict[str, Json] = self.world.lives[self.id].open_as(tag).what.payload
        return payload

    def hear(self, outcome: Outcome, tag: str = "reason") -> "Agent":
        """Let the effect `tag` come to an outcome."""
        self.world.arrive(self.id, tag, outcome)
        return self

    def cells(self, prefix: str) -> dict[str, Json]:
        """The cells whose names begin with `prefix`."""
        cells = self.world.lives[self.id].cells
        return {name: value for name, value in cells.items() if name.startswith(prefix)}


FAILED = Failed("provider_auth", "status 401: no such key")
