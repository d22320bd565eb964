"""Pieces of answers on their way."""

from perdure.ids import RunId, StepId
from perdure.registry.effects import Delta
from perdure.runtimes.deltas import TEXT_BYTES_MAX, Deltas, RunDelta

CHILD, ROOT, STEP = RunId("child"), RunId("root"), StepId("step")


def test_a_reader_hears_of_its_run_and_of_its_descendants() -> None:
    """The root's reader hears what the child's model says."""
    deltas, heard = Deltas(), list[RunDelta]()
    deltas.listen(ROOT, heard.append)
    deltas.publish((CHILD, ROOT), STEP, 1, Delta(0, "text", "Hel"))
    assert heard == [RunDelta(CHILD, STEP, 1, Delta(0, "text", "Hel"))]


def test_a_late_reader_gets_the_text_so_far_from_the_beginning() -> None:
    """In one piece, and of the newest attempt only."""
    deltas, heard = Deltas(), list[RunDelta]()
    deltas.publish((CHILD, ROOT), STEP, 1, Delta(0, "text", "lost"))
    deltas.publish((CHILD, ROOT), STEP, 2, Delta(0, "text", "Hel"))
    deltas.publish((CHILD, ROOT), STEP, 2, Delta(3, "text", "lo"))
    deltas.listen(CHILD, heard.append)
    assert heard == [RunDelta(CHILD, STEP, 2, Delta(0, "text", "Hello"))]


def test_an_outcome_ends_what_is_kept() -> None:
    """The record is the truth then."""
    deltas, heard = Deltas(), list[RunDelta]()
    deltas.publish((ROOT,), STEP, 1, Delta(0, "text", "x"))
    deltas.done(STEP)
    stop = deltas.listen(ROOT, heard.append)
    stop()
    deltas.publish((ROOT,), STEP, 1, Delta(1, "text", "y"))
    assert heard == []


def test_what_is_kept_of_one_call_is_bounded() -> None:
    """Readers that are there hear everything all the same."""
    deltas, live, late = Deltas(), list[RunDelta](), list[RunDelta]()
    deltas.listen(ROOT, live.append)
    piece = "x" * (TEXT_BYTES_MAX // 2)
    for number in range(4):
        deltas.publish((ROOT,), STEP, 1, Delta(number * len(piece), "text", piece))
    deltas.listen(ROOT, late.append)
    assert len(live) == 4 and len(late[0].delta.text) == TEXT_BYTES_MAX
