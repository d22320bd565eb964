"""A compiled flow as a program: where it stands, and what it wants next.

One call passes one node in the order of execution, with the pure nodes that it pulls; so a loop
comes back to the kernel on every pass, and `moves_max` counts nodes. State is in cells alone
(`vars.py`, `turn.py`), and no call reads more of them than its node needs.
"""

from typing import Final

from msgspec.structs import replace

from perdure.bundles.bundle import Bundle
from perdure.errors import Invalid
from perdure.features.flows import compaction
from perdure.features.flows.compile import compile_bundled
from perdure.features.flows.control import (
    Place,
    back_to,
    come_back,
    current,
    end_branch,
    enter,
    fork,
    frame_at,
    gathering,
    keep,
    kept_at,
    leave,
    read_place,
    rest,
    wake,
    write_place,
)
from perdure.features.flows.entries import entry_name
from perdure.features.flows.evaluate import ComputeFault, computed, resolved
from perdure.features.flows.faults import VALUE_ERRORS, BoundReached, NodeFault, PlanFault
from perdure.features.flows.governing import governed
from perdure.features.flows.listeners import LISTENER_KIND, LISTENING, listened, listener
from perdure.features.flows.model import (
    LAST_OUTPUT,
    OWN,
    Answer,
    Asked,
    CompiledFlow,
    Control,
    Ended,
    Exec,
    Fork,
    Function,
    Into,
    Node,
    Opened,
    Out,
    Passed,
    Visit,
)
from perdure.features.flows.turn import MAIN, PART, Turn, last_cell
from perdure.features.flows.values import MISSING, Allowance, Pins
from perdure.features.flows.vars import INPUTS, MESSAGES, Vars, reserved
from perdure.kernel.draft import error_text
from perdure.kernel.model import (
    Advance,
    Answered,
    Arrived,
    Due,
    Event,
    Failed,
    Ok,
    Outcome,
    ProgramRef,
    Told,
)
from perdure.kernel.program import Done, Fail, Moment, Move, Program, View
from perdure.kernel.values import Json
from perdure.services.compactions import COMPACT

CHILD_FAILED: Final = "child_failed"
NOT_CONFIGURED: Final = "not_configured"  # by nobody: no fault of the node, and never a result
NO_FAULTS: Final = frozenset({NOT_CONFIGURED, "sandbox_unavailable", "limit_reached"})


def flow_program(ref: ProgramRef, bundle: Bundle | None) -> Program:
    """Make the program of a flow. Raises `FlowNotFound`, `FlowRefused`."""
    if bundle is None:
        raise Invalid("A flow is pinned to the bundle that it is in.")
    flow_id, entry = listened(ref.name) if ref.kind == LISTENER_KIND else (ref.name, None)
    return FlowProgram(compile_bundled(bundle, flow_id, entry))


class FlowProgram:
    """A flow that can be asked for its next move. Holds nothing of any run."""

    def __init__(self, flow: CompiledFlow) -> None:
        """Run `flow`, which never changes."""
        self.flow = flow

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Pass the next node, or take in what the one that waits was answered."""
        turn = Turn(cells, moment)
        try:
            self._take(turn, event)
        except ComputeFault as fault:
            return _ended_badly(turn, fault)
        except PlanFault as fault:
            turn.end = Fail("bad_input", f"{_at(turn)}{fault}")
        except BoundReached as fault:
            turn.end = Fail("limit_reached", f"{_at(turn)}{fault}")
        return turn.move()

    def _take(self, turn: Turn, event: Event) -> None:
        match event:
            case Advance():
                self._advance(turn)
            case Arrived(outcome=outcome, tag=tag):
                self._arrived(turn, tag, outcome)
            case Answered(payload=payload, tag=tag):
                self._answer(turn, tag, payload)
            case Due(tag=tag):
                self._answer(turn, tag, None)
            case Told(message={"do": "compact", "terms": terms}):
                compaction.begin(turn, self.flow, compaction.Terms(*terms))
            case _:
                pass  # nothing else is for a flow, which goes on waiting

    def _arrived(self, turn: Turn, tag: str, outcome: Outcome) -> None:
        """An effect or a child came to an outcome: of a listener, of a position, or of a part of it."""
        if tag.startswith(LISTENING):
            if isinstance(outcome, Failed):
                turn.warnings = (f"{tag}: {error_text(outcome.code, outcome.detail)}",)
            return
        if tag == COMPACT:
            compaction.came(turn, outcome)
            return
        position, part, number = tag.partition(PART)
        if isinstance(outcome, Failed) and (not part or outcome.code == NOT_CONFIGURED):
            self._fail(turn, position, outcome)
        elif not part:
            assert isinstance(outcome, Ok), "a program never sees an unknown outcome"
            self._answer(turn, position, outcome.result)
        elif (gathered := gathering(turn, position, int(number), outcome)) is not None:
            self._answer(turn, position, gathered)

    def _fail(self, turn: Turn, position: str, failed: Failed) -> None:
        """End with the failure; of a node that is as good as a function it is a fault of the node."""
        place = read_place(turn, position)
        assert place is not None, "an outcome comes to a position that waits for it"
        node = self._node(place)
        if isinstance(node.kind, Exec) and node.kind.faults and failed.code not in NO_FAULTS:
            turn.path = (node.id,)
            raise ComputeFault(node, failed.detail or failed.code)
        turn.end = _failure_of(failed)

    # --- going on ----------------------------------------------------------------------------

    def _node(self, place: Place) -> Node:
        """The node at a place. Raises `PlanFault` where a fork brought the place from another version."""
        node = self.flow.nodes.get(place.node)
        if node is None:
            raise PlanFault(f"the run stands at {place.node!r}, which this version does not have")
        return node

    def _advance(self, turn: Turn) -> None:
        position = current(turn)
        place = read_place(turn, position)
        if place is None:
            self._begin(turn)
            return
        node = self._node(place)
        turn.path = (node.id,)
        match node.kind:
            case Control() as control:
                self._control(turn, position, place, node, control)
            case Function():
                vars, allowance = Vars(turn, last_cell(position)), Allowance()
                pins = resolved(node, place.via, vars, turn.moment, allowance)
                output = computed(node, pins, vars, turn.moment, allowance)
                self._pass(turn, position, place, node, Passed(output))
            case Exec():
                self._act(turn, position, place, node, node.kind)

    def _begin(self, turn: Turn) -> None:
        """Take the first position. Without a start node the run's inputs are what is ambient."""
        turn.put_all(Vars(turn).seeded())
        entry = self.flow.nodes[self.flow.entry]
        if entry.type != "on_flow_start" or not entry.outputs:
            turn.put_all({f"out/{INPUTS}": turn.inputs(), last_cell(MAIN): f"out/{INPUTS}"})
        write_place(turn, MAIN, Place(entry.id))
        turn.more = True
        for node_id in self.flow.listeners:
            turn.start(listener(self.flow, node_id, turn))

    def _act(self, turn: Turn, position: str, place: Place, node: Node, kind: Exec) -> None:
        kept: Json = None
        if kind.again is not None:
            kept, place = come_back(turn, position, place)
        visit = replace(self._visit(turn, position, place, node), kept=kept)
        try:
            step = kind.begin(visit)
        except NodeFault as fault:
            raise ComputeFault(node, str(fault)) from fault
        match step:
            case Passed():
                self._pass(turn, position, place, node, step)
            case Ended(output=output):
                turn.end = Done(output)
            case Asked(what=what, hold=hold):
                turn.ask(governed(node, what), position)
                if hold is not None or kind.again is not None:
                    write_place(turn, position, replace(place, hold=hold))
                rest(turn, position)

    def _answer(self, turn: Turn, position: str, result: Json) -> None:
        """The node at `position` has got what it asked for."""
        place = read_place(turn, position)
        assert place is not None, "an answer comes to a position that waits for it"
        node = self._node(place)
        if not isinstance(node.kind, Exec) or node.kind.finish is None:
            raise PlanFault(f"{node.id!r} is answered, and in this version it asks for nothing")
        vars = Vars(turn, last_cell(position))
        visit = Visit(node, {}, vars, turn.moment, self.flow.home)
        answer = Answer(result, place.hold)
        try:
            passed = node.kind.finish(visit, answer)
        except NodeFault as fault:
            raise ComputeFault(node, str(fault)) from fault
        wake(turn, position)
        kept = MISSING if node.kind.again is None else node.kind.again(answer)
        if kept is not MISSING:
            keep(turn, position, place.depth, place, kept)
            place = replace(place, depth=place.depth + 1)
        self._pass(turn, position, place, node, passed)
        if MESSAGES in passed.writes and turn.end is None:
            compaction.consider(turn, self.flow)

    def _visit(self, turn: Turn, position: str, place: Place, node: Node) -> Visit:
        vars = Vars(turn, last_cell(position))
        pins = resolved(node, place.via, vars, turn.moment, Allowance())
        return Visit(node, pins, vars, turn.moment, self.flow.home)

    # --- control nodes -----------------------------------------------------------------------

    def _control(
        self, turn: Turn, position: str, place: Place, node: Node, control: Control
    ) -> None:
        """Begin a control node, or ask it again when one of its branches has ended."""
        pins: Pins = {}
        vars = Vars(turn, last_cell(position))
        if not place.back or control.rereads:
            pins = resolved(node, place.via, vars, turn.moment, Allowance())
        visit = Visit(node, pins, vars, turn.moment, self.flow.home)
        if place.back:
            depth = place.depth - 1
            frame = frame_at(turn, position, depth)["frame"]
        else:
            frame, depth = enter(turn, position, place, _opened(control, visit))
        step = control.again(visit, frame, kept_at(turn, position, depth))
        self._turned(turn, position, replace(place, depth=depth), node, step)

    def _turned(
        self, turn: Turn, position: str, place: Place, node: Node, step: Into | Out | Fork
    ) -> None:
        match step:
            case Into(exit=exit, frame=frame, output=output):
                keep(turn, position, place.depth, place, frame)
                inside = replace(place, depth=place.depth + 1)
                self._pass(turn, position, inside, node, Passed(output, exit))
            case Out(exit=exit):
                leave(turn, position, place.depth)
                self._pass(turn, position, place, node, Passed(exit=exit, ending=LAST_OUTPUT))
            case Fork(exits=exits):
                targets = [self._target(node, exit) for exit in exits]
                fork(turn, position, place.depth, place, targets)

    # --- leaving a node ----------------------------------------------------------------------

    def _pass(self, turn: Turn, position: str, place: Place, node: Node, passed: Passed) -> None:
        """Keep what the node gave out, and go where it leads: on, back to a loop, or to the end."""
        turn.put_all(passed.writes)
        turn.warnings += passed.warnings
        if passed.output is not MISSING:
            cell = f"out/{node.id}"
            turn.put(cell, passed.output)
            if passed.ambient:
                turn.put(last_cell(position), [cell, passed.own] if passed.own else cell)
        if passed.exit in node.targets:
            target, via = self._target(node, passed.exit)
            write_place(turn, position, Place(target, place.depth, via))
            turn.more = True
        elif place.depth:
            write_place(turn, position, back_to(turn, position, place.depth))
            turn.more = True
        elif position != MAIN:
            end_branch(turn, position)
        else:
            turn.end = Done(_ending_of(passed, Vars(turn, last_cell(position))))

    def _target(self, node: Node, exit: str) -> tuple[str, str | None]:
        """The node that an exit leads to, and the way into it where that makes a difference."""
        target = self.flow.nodes[node.targets[exit]]
        return target.id, entry_name(node.id, exit) if target.routes else None


def _opened(control: Control, visit: Visit) -> Opened:
    try:
        return control.begin(visit)
    except BoundReached:
        raise
    except VALUE_ERRORS as error:
        raise ComputeFault(visit.node, str(error)) from error


def _ending_of(passed: Passed, vars: Vars) -> Json:
    """The output of a run that ends because nothing comes after a node."""
    if passed.ending is LAST_OUTPUT:
        last = vars.last_output()
        return {"success": True, "result": vars.ambient() if isinstance(last, dict) else last}
    if passed.ending is not OWN:
        return passed.ending
    made = passed.output[passed.own] if passed.own else passed.output
    if isinstance(made, dict):
        own = {key: value for key, value in made.items() if not reserved(key)}
        own.setdefault("success", True)
        return own
    return {"response": made, "success": True}


def _failure_of(failed: Failed) -> Fail:
    """How a run fails with its effect or child. A chain of children says once that it is one."""
    detail = failed.detail
    while failed.code == CHILD_FAILED and detail.startswith(f"{CHILD_FAILED}: "):
        detail = detail.removeprefix(f"{CHILD_FAILED}: ")
    return Fail(failed.code, detail)


def _ended_badly(turn: Turn, fault: ComputeFault) -> Move:
    """End well with `success: false`, as the language has it; a failed step says what happened."""
    at = turn.path[-1] if turn.path else fault.node.id
    output = {"success": False, "error": str(fault), "node": at}
    mishap = (fault.node.id, f"{fault.node.type}: {fault}")
    return Move(end=Done(output, mishap), path=(at,), warnings=(": ".join(mishap),))


def _at(turn: Turn) -> str:
    return f"{turn.path[-1]}: " if turn.path else ""
