"""What an agent is given, read from its cells. What is not given, or makes no sense, has its default."""

import json
from typing import Final, NamedTuple

from perdure.features.agents.tools import names_in
from perdure.kernel.program import View
from perdure.kernel.values import Json

ITERATIONS: Final = 20
ITERATIONS_MAX: Final = 1_000


class Inputs(NamedTuple):
    """The inputs of one agent run."""

    prompt: str
    system: str
    provider: str
    model: str
    tools: list[str]
    max_iterations: int
    params: dict[str, Json]
    schema: dict[str, Json]
    history: list[dict[str, Json]]


def read_inputs(cells: View) -> Inputs:
    """Read the cells `in/…`."""
    schema = cells.get("in/resp_schema")
    history = cells.get("in/messages")
    return Inputs(
        prompt=_text(cells.get("in/prompt")),
        system=_text(cells.get("in/system")),
        provider=_text(cells.get("in/provider")),
        model=_text(cells.get("in/model")),
        tools=names_in(cells.get("in/tools")),
        max_iterations=_iterations(cells.get("in/max_iterations")),
        params=_params(cells),
        schema=schema if isinstance(schema, dict) else {},
        history=[dict(it) for it in history if isinstance(it, dict)] if isinstance(history, list) else [],
    )  # fmt: skip


def _text(value: Json) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _iterations(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 1:
        return ITERATIONS
    return min(int(value), ITERATIONS_MAX)


def _params(cells: View) -> dict[str, Json]:
    """The parameters of every model call of the run; only those that were given."""
    given = {
        "temperature": cells.get("in/temperature"),
        "seed": cells.get("in/seed"),
        "thinking": cells.get("in/thinking"),
        "max_input_tokens": cells.get("in/max_in_tokens"),
    }
    return {name: value for name, value in given.items() if value is not None}
