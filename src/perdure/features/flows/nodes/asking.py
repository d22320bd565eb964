"""How a node that is one effect and no more is made: its pins are the payload, the answer its output."""

from collections.abc import Mapping
from typing import NamedTuple

from perdure.features.flows.model import Answer, Asked, Exec, Passed, Visit, described
from perdure.features.flows.values import Pins, as_list, as_object, first_filled
from perdure.kernel.model import Effect, EffectClass
from perdure.kernel.values import Json

WHOLE = ("result", "raw")  # pins that give out the answer as it came


class Asking(NamedTuple):
    """How the effect is asked for. `faults`: what goes wrong is a fault of the node, as of a function."""

    kind: str
    effect_class: EffectClass = EffectClass.READ
    faults: bool = False


def asks(asking: Asking, pins: str, what: str, config: str = "") -> Exec:
    """A node that asks for one effect; `pins` are written as `a b -> result`."""
    takes, _, gives = pins.partition("->")
    names, told = tuple(takes.split()), tuple(gives.split())

    def begin(visit: Visit) -> Asked:
        payload = said(visit, names)
        effect = Effect(
            asking.kind, payload, "", visit.node.id, asking.effect_class, visit.node.result_key
        )
        return Asked(effect)

    def finish(_visit: Visit, answer: Answer) -> Passed:
        return given(told, answer.result)

    return described(Exec(begin, finish, faults=asking.faults), pins, what, config)


def said(visit: Visit, names: tuple[str, ...]) -> Pins:
    """What the pins say, and where they say nothing, the node as drawn; the rest is left out."""
    drawn = visit.node.config("effectConfig")
    found = {name: first_filled(visit.pins, drawn, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def given(names: tuple[str, ...], result: Json) -> Passed:
    """The pins of a node, each from the answer or from the first result that the answer holds."""
    outer = as_object(result)
    inner = as_object(as_object(next(iter(as_list(outer.get("results"))), None)).get("output"))
    output: Pins = {name: _found(name, result, outer, inner) for name in names}
    if "success" in output and output["success"] is None:
        output["success"] = True
    return Passed(output, ambient=False, ending={"success": True, "result": result})


def _found(name: str, result: Json, outer: Mapping[str, Json], inner: Mapping[str, Json]) -> Json:
    for told in (inner, outer):
        if name in told:
            return told[name]
    return result if name in WHOLE else None
