"""A compiled flow: nodes that know their type, where their pins come from and where they lead."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from perdure.features.flows.values import MISSING, Pins
from perdure.features.flows.vars import Vars
from perdure.ids import BundleSha
from perdure.kernel.model import Effect, ProgramRef, Start, Wait
from perdure.kernel.program import Moment
from perdure.kernel.values import Json

PLAIN: Final = "exec-out"
FLOW_KIND: Final = "flow"


# --- what a node does --------------------------------------------------------------------------


class _Ending:
    """One of the two ways in which a flow may end after a node, beside an output of its own."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


OWN: Final = _Ending("OWN")  # the node's output and `success: true`
LAST_OUTPUT: Final = _Ending("LAST_OUTPUT")  # `success: true` and the last output as `result`


class Passed(Struct, frozen=True):
    """The node is done. `ending` is the run's output if nothing comes after the node."""

    output: Json = MISSING
    exit: str = PLAIN
    ambient: bool = True  # its output becomes `_last_output`
    own: str = ""  # the part of it that does, and that the run ends with, where it is not all
    ending: Json = OWN
    writes: Mapping[str, Json] = {}
    warnings: tuple[str, ...] = ()


class Asked(Struct, frozen=True):
    """The node asks for something and the position waits. `hold` is kept until the answer.

    Several effects are under way together, and their answer is the list of their outcomes, each
    as `outcome_cell` writes it, in the order in which they were asked.
    """

    what: Effect | Wait | Start | tuple[Effect, ...]
    hold: Json = None


class Ended(Struct, frozen=True):
    """The node ends the run, wherever it stands."""

    output: Json


class Into(Struct, frozen=True):
    """A control node runs a branch, and is returned to when the branch ends. `frame` is kept."""

    exit: str
    frame: Json
    output: Json = MISSING


class Out(Struct, frozen=True):
    """A control node is done."""

    exit: str


class Fork(Struct, frozen=True):
    """A control node runs these branches beside each other, and is returned to when all ended."""

    exits: tuple[str, ...]


class Opened(Struct, frozen=True):
    """What a control node begins with. `kept` stays as it is, `frame` changes from pass to pass."""

    frame: Json
    kept: Json = MISSING


class Visit(Struct, frozen=True):
    """All that a node may know while a flow stands at it."""

    node: "Node"
    pins: Pins
    vars: Vars
    moment: Moment
    home: "Home"
    kept: Json = None  # by a node that its branch has come back to


class Answer(Struct, frozen=True):
    """What a waiting node got, and what it had held. `tag` is its position."""

    result: Json
    hold: Json


Compute = Callable[["Node", Pins, Vars, Moment], Json]


class About(NamedTuple):
    """What the reference says of a node type: its data pins, its configuration, and what it does."""

    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    what: str = ""
    config: str = ""


class Function(Struct, frozen=True):
    """A node that makes a value of its pins. Pure, unless it is drawn with execution pins.

    `shares` says that the result is a part of what was there before, and so weighs nothing.
    """

    compute: Compute
    shares: bool = False
    constant: Callable[["Node"], Json] | None = None  # makes it already when the flow is compiled
    exits: tuple[str, ...] = (PLAIN,)
    about: About = About()


class Exec(Struct, frozen=True):
    """A node that stands in the order of execution: it acts, asks, or ends the run.

    With `faults` a failure of what it asked for is a fault of the node, as if it had computed it
    itself; else it fails the run. With `again` it is come back to when the branch after it ends,
    and then begins anew; `again` says of an answer what it keeps until then.
    """

    begin: Callable[[Visit], Passed | Asked | Ended]
    finish: Callable[[Visit, Answer], Passed] | None = None
    exits: tuple[str, ...] = (PLAIN,)
    faults: bool = False
    again: Callable[[Answer], Json] | None = None
    about: About = About()


class Control(Struct, frozen=True):
    """A node that runs branches in its order. `again` is asked at entry and after every branch."""

    begin: Callable[[Visit], Opened]
    again: Callable[[Visit, Json, Json], Into | Out | Fork]
    exits: tuple[str, ...]
    rereads: bool = False  # its pins are resolved anew for every pass
    about: About = About()


NodeType = Function | Exec | Control
Kind = TypeVar("Kind", Function, Exec, Control)


def described(kind: Kind, pins: str, what: str, config: str = "") -> Kind:
    """The node type with what the reference says of it; `pins` are written as `a b -> result`."""
    takes, _, gives = pins.partition("->")
    return replace(kind, about=About(tuple(takes.split()), tuple(gives.split()), what, config))


def of_pins(compute: Callable[[Pins], Json], *, shares: bool = False) -> Function:
    """A function of the pins alone."""
    return Function(lambda _node, pins, _vars, _moment: compute(pins), shares)


def of_drawing(constant: Callable[["Node"], Json]) -> Function:
    """A value that is known when the flow is compiled."""
    return Function(lambda node, _pins, _vars, _moment: constant(node), True, constant)


def of_moment(compute: Callable[[Pins, Moment], Json]) -> Function:
    """A function of the pins and of the time or the chance of the moment."""
    return Function(lambda _node, pins, _vars, moment: compute(pins, moment))


def of_node(compute: Callable[["Node", Pins], Json], *, shares: bool = False) -> Function:
    """A function of the pins and of how the node is drawn."""
    return Function(lambda node, pins, _vars, _moment: compute(node, pins), shares)


# --- how nodes hang together -------------------------------------------------------------------


class Link(Struct, frozen=True):
    """Where one pin's value comes from."""

    pin: str
    source: str
    source_pin: str
    constant: Json = MISSING
    weighed: bool = False  # its source weighs what it makes


class Wiring(Struct, frozen=True):
    """Where all pins of a node get their values when it is entered in one way."""

    cone: tuple["Node", ...] = ()  # the pure nodes that must be computed first, in their order
    presets: tuple[tuple[str, Json], ...] = ()  # win over what is ambient
    links: tuple[Link, ...] = ()  # win over presets, a later one over an earlier one
    spares: tuple[tuple[str, Json], ...] = ()  # where there is nothing else


UNWIRED: Final = Wiring()


@dataclass(slots=True)
class Node:
    """A node as drawn, and how it hangs in the flow. Filled by the compiler, then left alone."""

    id: str
    type: str
    kind: NodeType
    data: Mapping[str, Json]
    inputs: tuple[str, ...]  # declared pins that carry data
    outputs: tuple[str, ...]
    wiring: Wiring = UNWIRED
    routes: dict[str, Wiring] = field(default_factory=dict)  # for entries that differ
    targets: dict[str, str] = field(default_factory=dict)
    wired: frozenset[str] = frozenset()  # output pins that somebody reads

    def config(self, name: str) -> dict[str, Json]:
        """One of the objects of the drawing, such as `effectConfig`; empty where it is none."""
        value = self.data.get(name)
        return value if isinstance(value, dict) else {}

    @property
    def result_key(self) -> str:
        """Where the language keeps what the node's effect came to."""
        return f"_temp.effects.{self.id}"


class Home(NamedTuple):
    """The bundle that a flow lives in, as far as its nodes need to know."""

    ref: str = ""
    sha256: BundleSha | None = None
    flow_id: str = ""
    flows: Mapping[str, str] = {}  # every name of a flow, with the bundle's or without → its id
    workflows: Mapping[str, str] = {}  # flow id → workflow id

    def child(self, name: str) -> tuple[ProgramRef, str]:
        """What a run of another flow of the bundle is pinned to, and its workflow id."""
        flow_id = self.flows[name]
        return ProgramRef(FLOW_KIND, self.sha256, flow_id), self.workflows[flow_id]

    def agent(self, node_id: str) -> str:
        """The workflow id of the agent that an agent node starts."""
        drawn = f"visual_react_agent_{self.ref}_{self.flow_id}_{node_id}"
        return re.sub(r"[^A-Za-z0-9]", "_", drawn)


@dataclass(frozen=True, slots=True)
class CompiledFlow:
    """A flow that passed every check: its entry, and the nodes that can be reached from it."""

    entry: str
    nodes: Mapping[str, Node]
    home: Home
    listeners: tuple[str, ...] = ()  # nodes that a run of their own begins with
