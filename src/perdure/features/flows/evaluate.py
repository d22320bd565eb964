"""The pins of a node at the moment it is visited: what is pulled through pure nodes, and from where."""

from perdure.features.flows.faults import VALUE_ERRORS, BoundReached, NodeFault
from perdure.features.flows.model import Function, Node, Wiring
from perdure.features.flows.values import MISSING, Allowance, Pins, picked
from perdure.features.flows.vars import Vars
from perdure.kernel.program import Moment
from perdure.kernel.values import Json


class ComputeFault(NodeFault):
    """A function-like node could not make its value. `node` is the one, which may be a pure node."""

    def __init__(self, node: Node, why: str) -> None:
        """`why` is what went wrong, in a sentence."""
        self.node = node
        super().__init__(why)


def resolved(
    node: Node, entry: str | None, vars: Vars, moment: Moment, allowance: Allowance
) -> Pins:
    """All that a node in the order of execution sees when it is entered by `entry`.

    A connected pin wins, even over a null; then the default of a declared pin; then what is
    ambient; then any other default. Raises `ComputeFault`, `BoundReached`.
    """
    wiring = node.routes.get(entry, node.wiring) if entry and node.routes else node.wiring
    pins = vars.ambient()
    pins.update(wiring.presets)
    made: Pins = {}
    for pure in wiring.cone:
        made[pure.id] = computed(
            pure,
            _gathered(dict(pure.wiring.presets), pure.wiring, made, vars),
            vars,
            moment,
            allowance,
        )
    _gathered(pins, wiring, made, vars)
    for pin, value in wiring.spares:
        pins.setdefault(pin, value)
    return pins


def _gathered(pins: Pins, wiring: Wiring, made: Pins, vars: Vars) -> Pins:
    """Follow the links. A source that has nothing to give leaves its pin as it was."""
    for link in wiring.links:
        value = link.constant
        if value is MISSING:
            output = made[link.source] if link.source in made else vars.output(link.source)
            value = MISSING if output is MISSING else picked(output, link.source_pin)
            if value is output and isinstance(value, dict) and not link.weighed:
                Allowance().spend(value)  # all pins at once, which may hold one value many times
        if value is not MISSING:
            pins[link.pin] = value
    return pins


def computed(node: Node, pins: Pins, vars: Vars, moment: Moment, allowance: Allowance) -> Json:
    """What a function-like node makes of its pins. Raises `ComputeFault`, `BoundReached`."""
    assert isinstance(node.kind, Function)
    try:
        value = node.kind.compute(node, pins, vars, moment)
        if not node.kind.shares:
            allowance.spend(value)
    except BoundReached:
        raise
    except VALUE_ERRORS as error:
        raise ComputeFault(node, _said(error)) from error
    return value


def _said(error: Exception) -> str:
    """The fault in words. What Python raises of itself is told with its kind."""
    return str(error) if isinstance(error, NodeFault) else f"{type(error).__name__}: {error}"
