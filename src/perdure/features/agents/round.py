"""One move of the loop while it is being made: what the cells hold, and what it writes over them."""

from collections.abc import Mapping
from datetime import datetime

from perdure.clock import time_of
from perdure.features.agents.calls import Call, Result
from perdure.features.agents.inputs import Inputs, read_inputs
from perdure.kernel.model import GONE, Effect
from perdure.kernel.program import Done, Fail, Move, View
from perdure.kernel.values import Json

STATE = "ctl/react"


class Round:
    """The cells of a run as a move of it sees and writes them. Made for one move, then thrown away."""

    def __init__(self, cells: View, began: str) -> None:
        """Go on from where the cells say that the loop stands; `began` is for the first move."""
        stand = cells.get(STATE) or {}
        self._cells = cells
        self._writes: dict[str, Json] = {}
        self._heard: list[str] = []
        self.given: Inputs = read_inputs(cells)
        self.began: str = stand.get("began", began)
        self.count: int = stand.get("messages", 0)
        self.iteration: int = stand.get("iteration", 0)
        self.calls: list[Call] = stand.get("calls", [])
        self.warnings: list[str] = stand.get("warnings", [])
        self.by: dict[str, Json] = stand.get("by", {})
        self.usage: dict[str, int] = stand.get("usage", {})

    def cell(self, name: str) -> Json:
        """A cell as it will be after this move."""
        value = self._writes[name] if name in self._writes else self._cells.get(name)
        return None if value is GONE else value

    # --- what is said ----------------------------------------------------------------------------

    def say(self, *messages: dict[str, Json]) -> None:
        """Add messages to the conversation."""
        for message in messages:
            self._writes[f"msg/{self.count}"] = message
            self.count += 1

    def messages(self) -> list[Json]:
        """The whole conversation."""
        return [self.cell(f"msg/{number}") for number in range(self.count)]

    def hear(self, said: Mapping[str, Json]) -> None:
        """Keep what an answer tells beside its words: who gave it, what it took, what is to be known of it."""
        metadata = said.get("metadata") or {}
        self.by = {"provider": metadata.get("provider"), "model": said.get("model")}
        usage = said.get("usage") or {}
        self.usage = {
            name: self.usage.get(name, 0) + (usage.get(name) or 0)
            for name in ("input_tokens", "output_tokens", "total_tokens")
        }
        self.warn(metadata.get("notice"))

    def warn(self, *texts: str | None) -> None:
        """Have people told of something, once."""
        new = [it for it in dict.fromkeys(texts) if it and it not in self.warnings]
        self.warnings = [*self.warnings, *new]
        self._heard += new

    # --- what is done ----------------------------------------------------------------------------

    def open_cycle(self, thought: str, calls: list[Call]) -> None:
        """Write down what the model thought and which calls it made."""
        self._writes[self._cycle] = {
            "i": self.iteration, "thought": thought, "tool_calls": [told(it) for it in calls],
            "observations": [],
        }  # fmt: skip

    def came(self, position: int, result: Result) -> None:
        """Keep what a call of this cycle came to."""
        self._writes[f"out/act/{position}"] = result

    def results(self) -> list[Result] | None:
        """What the calls came to, in the order of the calls; `None` while one is under way."""
        results = [self.cell(f"out/act/{position}") for position in range(len(self.calls))]
        return None if None in results else results

    def close_cycle(self, results: list[Result]) -> None:
        """Put the results into the cycle and forget them where they were gathered."""
        self._writes[self._cycle] = {**self.cell(self._cycle), "observations": results}
        for position in range(len(results)):
            name = f"out/act/{position}"
            self._writes.pop(name, None)
            if name in self._cells:
                self._writes[name] = GONE

    @property
    def _cycle(self) -> str:
        return f"out/cycle/{self.iteration}"

    def cycles(self) -> list[dict[str, Json]]:
        """Every cycle so far."""
        return [self.cell(f"out/cycle/{number}") for number in range(1, self.iteration + 1)]

    def took_ms(self, at: datetime) -> int:
        """Milliseconds from the first move to `at`."""
        return round((at - time_of(self.began)).total_seconds() * 1000)

    # --- the move --------------------------------------------------------------------------------

    def move(
        self, *path: str, effects: tuple[Effect, ...] = (), end: Done | Fail | None = None
    ) -> Move:
        """The move that writes all of this."""
        stand = {
            "began": self.began, "messages": self.count, "iteration": self.iteration, "calls": self.calls,
            "warnings": self.warnings, "by": self.by, "usage": self.usage,
        }  # fmt: skip
        return Move(
            self._writes | {STATE: stand}, effects=effects, end=end, path=path,
            warnings=tuple(self._heard),
        )  # fmt: skip


def told(call: Call) -> dict[str, Json]:
    """A call as the wire shows it."""
    return {name: call[name] for name in ("name", "arguments", "call_id")}
