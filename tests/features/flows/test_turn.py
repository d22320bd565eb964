"""A move in the making: its writes are seen by what comes after, and by nobody else."""

from perdure.features.flows.turn import (
    MAIN,
    Turn,
    branch_of,
    frame_cell,
    kept_cell,
    last_cell,
    parent_of,
    place_cell,
)
from perdure.kernel.model import GONE
from perdure.kernel.program import Done, Moment, View
from tests.support.builders import a_birth, a_question, a_start, an_effect
from tests.support.clock import START


def _turn(**cells: object) -> Turn:
    return Turn(
        View({name.replace("_", "/"): value for name, value in cells.items()}),
        Moment(a_birth(), 1, START),
    )


def test_what_is_written_is_read_back_and_the_cells_stay() -> None:
    turn = _turn(var_a=1, var_b=2)
    turn.put("var/a", 3)
    turn.put_all({"var/c": 4})
    turn.drop("var/b")
    turn.drop("var/none")
    assert [turn.get(name) for name in ("var/a", "var/b", "var/c", "var/d")] == [3, None, 4, None]
    assert turn.move().writes == {"var/a": 3, "var/c": 4, "var/b": GONE}


def test_the_inputs_are_all_that_the_run_was_given() -> None:
    assert _turn(in_a=1, in_b=None, var_c=2).inputs() == {"a": 1, "b": None}


def test_what_is_asked_for_carries_its_position() -> None:
    turn = _turn()
    for what in (an_effect(), a_question(), a_start()):
        turn.ask(what, "0.1.2")
    move = turn.move()
    tags = [
        *(it.tag for it in move.effects),
        *(it.tag for it in move.waits),
        *(it.tag for it in move.starts),
    ]
    assert tags == ["0.1.2"] * 3


def test_a_move_that_ends_asks_for_no_more() -> None:
    turn = _turn()
    turn.more = True
    assert turn.move().more
    turn.end = Done(1)
    assert not turn.move().more


def test_each_position_has_cells_of_its_own() -> None:
    branch = branch_of(MAIN, 1, 2)
    names = [place_cell(MAIN), frame_cell(MAIN, 0), kept_cell(MAIN, 0), last_cell(MAIN),
             place_cell(branch), frame_cell(branch, 0), kept_cell(branch, 0), last_cell(branch)]  # fmt: skip
    assert len(set(names)) == len(names)
    assert last_cell(MAIN) == "last"
    assert parent_of(branch) == (MAIN, 1)
    assert parent_of(branch_of(branch, 0, 3)) == (branch, 0)
