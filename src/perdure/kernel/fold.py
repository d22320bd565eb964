"""Asking the program: move after move, until there is something to wait for or an end."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, Union

from msgspec import Struct

from perdure.kernel.draft import UNWANTED, Draft, effect_json
from perdure.kernel.limits import SLICE
from perdure.kernel.model import Advance, Decision, Event
from perdure.kernel.program import Done, Fail, Move, Program

_ADVANCE: Final = Advance()
_STUCK: Final = Fail("program_stuck", "the program asks for nothing and waits for nothing")


class Fold(Struct, frozen=True):
    """A fold that is not done within a slice of `SLICE` moves; `on` takes it a slice further."""

    draft: Draft
    program: Program
    events: Iterator[Event]  # still to be asked about
    moves: int  # made so far

    def on(self) -> Union[Decision, "Fold"]:
        """The decision, or the rest of the fold after another slice."""
        return ask(self.draft, self.program, self.events, self.moves)


def ask(draft: Draft, program: Program, events: Iterable[Event], moves: int = 0) -> Decision | Fold:
    """Ask about each of `events`, which may be drawn while the answers are taken, and fold the moves."""
    limits, cells, moment = draft.birth.limits, draft.cells, draft.moment
    if draft.seq >= limits.steps_max or draft.run.state_bytes > limits.state_bytes_max:
        draft.tell_of("size", draft.run.state_bytes)
        return draft.end(_bound_of_run(draft))
    events = iter(events)
    for event in events:
        move = program.next(cells, event, moment)
        while (ended := _taken(draft, move)) is None and move.more:
            moves += 1
            if moves >= limits.moves_max:
                ended = limit_reached("moves_max", f"{moves} moves without a record")
                break
            if moves % SLICE == 0:
                return Fold(draft, program, chain((_ADVANCE,), events), moves)
            move = program.next(cells, _ADVANCE, moment)
        if ended is not None:
            return draft.end(ended)
    if not draft.open:
        return draft.end(_STUCK)
    return draft.decision()


def limit_reached(name: str, detail: str) -> Fail:
    """The end of a run that has reached the bound `name`."""
    return Fail("limit_reached", f"{name}: {detail}")


def _bound_of_run(draft: Draft) -> Fail:
    limits = draft.birth.limits
    if draft.seq >= limits.steps_max:
        return limit_reached("steps_max", f"more than {limits.steps_max} records")
    return limit_reached("state_bytes_max", f"more than {limits.state_bytes_max} bytes")


def _taken(draft: Draft, move: Move) -> Done | Fail | None:
    """Write a move into the draft; the end that it comes to, if it does."""
    draft.cells.pending.update(move.writes)
    if move.path:
        draft.passed(move.path)
    if move.warnings:
        draft.warn(move.warnings)
    if move.withdraw:
        draft.withdraw_all(move.withdraw)
    if move.notes or move.cancel or move.hold is not None:
        _told(draft, move)
    if move.effects or move.waits or move.starts:
        return _begun(draft, move) or move.end
    return move.end


def _told(draft: Draft, move: Move) -> None:
    """Write down what the move only says, and send what it has to say to children and to the run itself."""
    for note in move.notes:
        told = effect_json(note.kind, note.payload, None)
        draft.record(note.node_id, "completed", told, ends_fold=False)
    draft.tell_children("cancel", UNWANTED, move.cancel)
    if move.hold is not None:  # it comes as any other: in its turn, in the next decision
        draft.send(draft.birth.id, "hold", body={"reason": move.hold})


def _begun(draft: Draft, move: Move) -> Fail | None:
    """Begin all that the move asks for, or nothing of it where that would break a bound."""
    birth = draft.birth
    asked = len(move.effects) + len(move.waits) + len(move.starts)
    if len(draft.open) + asked > birth.limits.open_max:
        return limit_reached("open_max", f"more than {birth.limits.open_max} open at once")
    if move.starts and birth.depth >= birth.limits.depth_max:
        return limit_reached("depth_max", f"more than {birth.limits.depth_max} runs deep")
    for effect in move.effects:
        draft.begin_effect(effect)
    for wait in move.waits:
        draft.open_wait(wait)
    for start in move.starts:
        draft.begin_child(start)
    return None
