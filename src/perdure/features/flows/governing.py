"""How often an effect of a node is tried and how long a try may take, where its drawing says so.

Any node whose work is an effect may have `retry: {attempts, backoff_s}` and `timeout_s` in its data.
What it does not say stays as the effect's kind has it. More tries are for failures that may pass,
and for unknown outcomes of effects that may be repeated; no drawing makes an effect happen twice.
"""

from typing import Final

from msgspec.structs import replace

from perdure.features.flows.faults import PlanFault
from perdure.features.flows.model import Node
from perdure.features.flows.values import MISSING
from perdure.kernel.model import Effect, Start, Wait
from perdure.kernel.values import Json

ATTEMPTS_MAX: Final = 20
BACKOFF_S_MAX: Final = 3_600.0
TIMEOUT_S_MAX: Final = 86_400.0

What = Effect | Wait | Start | tuple[Effect, ...]


def governed(node: Node, what: What) -> What:
    """What the node asks for, bound as it is drawn. Raises `PlanFault` for bounds that are none."""
    if "retry" not in node.data and "timeout_s" not in node.data:
        return what
    match what:
        case Effect():
            return _bound(node, what)
        case Wait() | Start():
            return what
        case _:
            return tuple(_bound(node, it) for it in what)


def _bound(node: Node, effect: Effect) -> Effect:
    retry = node.config("retry")
    attempts = _number(retry, "attempts", 1, ATTEMPTS_MAX)
    if attempts is not None:
        effect = replace(effect, attempts_max=int(attempts))
    backoff_s = _number(retry, "backoff_s", 0, BACKOFF_S_MAX)
    if backoff_s is not None:
        effect = replace(effect, backoff_s=backoff_s)
    timeout_s = _number(node.data, "timeout_s", 0.001, TIMEOUT_S_MAX)
    return effect if timeout_s is None else replace(effect, timeout_s=timeout_s)


def _number(drawn: Json, name: str, least: float, most: float) -> float | None:
    value = drawn.get(name, MISSING)
    if value is MISSING or value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise PlanFault(f"{name} is a number from {least:g} to {most:g}")
    return float(value)
