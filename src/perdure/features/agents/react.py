"""The loop of reason, act and observe, as a pure program.

The model is asked (`reason`); the tools that it calls are performed, each as an effect of its own
(`act`); what they came to is told to it in the order of its calls (`observe`); and it is asked
again, until it answers in words (`done`) or has been asked as often as it may. A failing model
ends the run as failed. A failing, unknown or misused tool is a result for the model.

Cells: `msg/<n>` one message each, `out/cycle/<i>` one round each, `out/act/<k>` the results of
the round under way, `ctl/react` where the loop stands.
"""

import json
from collections.abc import Mapping
from typing import Final

from perdure.features.agents.calls import Call, asking, calls_in, refusal_of, result_of, telling
from perdure.features.agents.round import STATE, Round
from perdure.features.agents.tools import ToolSpec, missing
from perdure.kernel.model import Advance, Arrived, Effect, Event, Ok, Outcome, Unknown
from perdure.kernel.program import Done, Fail, Moment, Move, View
from perdure.kernel.values import Json

AS_JSON: Final = "Write the answer above as JSON that fits the schema, and nothing else."
CAPPED: Final = "Stopped after {n} of {n} iterations; the model still wanted to use tools."


class React:
    """A program of the kind `react` over the installed tools."""

    def __init__(self, tools: Mapping[str, ToolSpec]) -> None:
        """Offer of `tools` those that a run asks for."""
        self._tools = tools

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Name the next move after `event`."""
        match event:
            case Advance() if STATE not in cells:
                return self._begin(Round(cells, moment.text))
            case Arrived(outcome=outcome, tag="reason"):
                return self._reasoned(Round(cells, moment.text), outcome, moment)
            case Arrived(outcome=outcome, tag="done"):
                return _formed(Round(cells, moment.text), outcome, moment)
            case Arrived(outcome=outcome, tag=tag) if tag.startswith("act:"):
                position = int(tag.removeprefix("act:"))
                return self._acted(Round(cells, moment.text), outcome, position)
            case _:
                return Move()

    # --- reason --------------------------------------------------------------------------------

    def _begin(self, now: Round) -> Move:
        given = now.given
        if not given.prompt and not given.history:
            missed = Fail("prompt_missing", "there is neither a prompt nor a message")
            return now.move("reason", end=missed)
        now.warn(*missing(given.tools, self._tools))
        now.say(*given.history)
        if given.prompt:
            now.say({"role": "user", "content": given.prompt})
        return self._ask(now)

    def _ask(self, now: Round, *path: str) -> Move:
        """Ask the model once more, with all that was said."""
        now.iteration += 1
        now.calls = []
        tools = [self._tools[name].offered() for name in self._offered(now)]
        effect = _question(now, "reason", now.messages(), tools=tools)
        return now.move(*path, "reason", effects=(effect,))

    def _offered(self, now: Round) -> list[str]:
        return [name for name in now.given.tools if name in self._tools]

    def _reasoned(self, now: Round, outcome: Outcome, moment: Moment) -> Move:
        if not isinstance(outcome, Ok):
            return _failed(now, outcome)
        said = outcome.result if isinstance(outcome.result, dict) else {}
        now.hear(said)
        calls = calls_in(said.get("tool_calls"), moment.run.id, now.iteration)
        content = str(said.get("content") or "")
        if calls and now.iteration < now.given.max_iterations:
            now.calls = calls
            return self._act(now, content, str(said.get("reasoning") or ""))
        if not content.strip():
            return now.move("reason", end=_wordless(now, calls))
        return _answer(now, content, calls, moment)

    # --- act and observe -----------------------------------------------------------------------

    def _act(self, now: Round, content: str, reasoning: str) -> Move:
        """Have every call performed that can be, and refuse the others to the model."""
        offered = self._offered(now)
        now.say(asking(content, now.calls))
        now.open_cycle(content or reasoning, now.calls)
        effects = []
        for position, call in enumerate(now.calls):
            refusal = refusal_of(call, position, offered)
            if refusal is None:
                effects.append(self._call(call, position, offered))
            else:
                now.came(position, refusal)
        return now.move("act", effects=tuple(effects)) if effects else self._observe(now)

    def _call(self, call: Call, position: int, offered: list[str]) -> Effect:
        payload = {"tool_calls": [call], "allowed_tools": offered}
        effect_class = self._tools[call["name"]].effect_class
        tag = f"act:{position}"
        return Effect("tool_calls", payload, tag, "act", effect_class, result_key=tag)

    def _acted(self, now: Round, outcome: Outcome, position: int) -> Move:
        now.came(position, result_of(now.calls[position], outcome))
        return self._observe(now)

    def _observe(self, now: Round) -> Move:
        """Tell the model what its calls came to, once all of them have, in the order in which it made them."""
        results = now.results()
        if results is None:
            return now.move()
        now.say(*map(telling, results))
        now.close_cycle(results)
        return self._ask(now, "observe")


# --- done ----------------------------------------------------------------------------------------


def _answer(now: Round, content: str, calls: list[Call], moment: Moment) -> Move:
    """The model has answered in words; with `calls`, it wanted more than it may have."""
    now.say({"role": "assistant", "content": content})
    now.open_cycle(content, calls)
    now.calls = calls
    if not now.given.schema:
        return now.move("done", end=Done(_output(now, content, None, moment)))
    heard: list[Json] = [
        {"role": "user", "content": now.given.prompt},
        {"role": "assistant", "content": content},
    ]
    effect = _question(now, "done", heard, prompt=AS_JSON, response_schema=now.given.schema)
    return now.move("done", effects=(effect,))


def _formed(now: Round, outcome: Outcome, moment: Moment) -> Move:
    """The answer has been written as JSON."""
    if not isinstance(outcome, Ok):
        return _failed(now, outcome)
    now.hear(outcome.result)
    data = outcome.result.get("data")
    answer = json.dumps(data, ensure_ascii=False)
    return now.move("done", end=Done(_output(now, answer, data, moment)))


def _question(now: Round, node_id: str, messages: list[Json], **more: Json) -> Effect:
    """A question to the model; its node's id is its tag as well."""
    given = now.given
    payload = {
        "prompt": "", "messages": messages, "system_prompt": given.system, "tools": [],
        "params": given.params, "provider": given.provider, "model": given.model, **more,
    }  # fmt: skip
    return Effect("llm_call", payload, node_id, node_id, result_key=node_id)


def _failed(now: Round, outcome: Outcome) -> Move:
    """A model that fails ends the run as failed."""
    if isinstance(outcome, Unknown):
        return now.move(end=Fail("unknown_outcome", outcome.detail))
    assert not isinstance(outcome, Ok)
    return now.move(end=Fail(outcome.code, outcome.detail))


def _wordless(now: Round, calls: list[Call]) -> Fail:
    if calls:
        return Fail("max_iterations", CAPPED.format(n=now.iteration))
    return Fail("empty_answer", "the model answered with nothing")


def _output(now: Round, answer: str, data: Json, moment: Moment) -> dict[str, Json]:
    """What the run ends with. `capped` says that the answer is what there was at the cap, not an end."""
    cycles = now.cycles()
    capped = bool(now.calls)
    return {
        "answer": answer,
        "data": data,
        "report": CAPPED.format(n=now.iteration) if capped else answer,
        "capped": capped,
        "iterations": now.iteration,
        "tool_calls": [call for cycle in cycles for call in cycle["tool_calls"]],
        "tool_results": [result for cycle in cycles for result in cycle["observations"]],
        "provider": now.by.get("provider"),
        "model": now.by.get("model"),
        "messages": now.messages(),
        "scratchpad": {"cycles": cycles},
        "warnings": now.warnings,
        "usage": now.usage,
        "duration_ms": now.took_ms(moment.at),
    }
