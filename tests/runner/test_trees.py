"""How many runs a tree may have: counted when what was counted last is used up, and not before."""

import pytest

from perdure.ids import RunId
from perdure.kernel.limits import Limits
from perdure.kernel.model import Birth
from perdure.runner import trees
from perdure.runner.trees import Trees
from tests.support.builders import a_birth, a_run_id

pytestmark = pytest.mark.anyio


class Counted:
    """A store that knows how many runs of each tree have not ended, and notes who asked."""

    def __init__(self, living: int) -> None:
        self.living = living
        self.asked: list[RunId] = []

    async def __call__(self, root_id: RunId, most: int) -> int:
        self.asked.append(root_id)
        return min(self.living, most)


def below(root: str, tree_max: int) -> Birth:
    """A run below a root."""
    return a_birth("below", root_id=a_run_id(root), depth=1, limits=Limits(tree_max=tree_max))


@pytest.mark.parametrize(("births", "fits"), [(1, True), (3, True), (4, False), (10, False)])
async def test_a_tree_takes_what_it_has_room_for_and_nothing_of_what_is_more(
    births: int, fits: bool
) -> None:
    assert await Trees(Counted(7)).take(below("a", 10), births) is fits


async def test_a_tree_is_counted_again_when_its_room_is_used_up() -> None:
    count = Counted(7)
    tree = Trees(count)
    assert [await tree.take(below("a", 10), 1) for _ in range(3)] == [True, True, True]
    assert len(count.asked) == 1, "a birth costs no look while there is room"
    count.living = 10
    assert not await tree.take(below("a", 10), 1)
    count.living = 9
    assert await tree.take(below("a", 10), 1), "what has ended made room"
    assert len(count.asked) == 3


async def test_a_tree_that_is_over_its_bound_takes_nothing() -> None:
    assert not await Trees(Counted(500)).take(below("a", 10), 1)


async def test_trees_have_their_room_each_and_only_so_many_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trees, "KEPT", 2)
    count = Counted(0)
    tree = Trees(count)
    for root in ("a", "b", "a", "c", "c", "a", "b"):
        assert await tree.take(below(root, 10), 1)
    assert count.asked == [a_run_id(root) for root in ("a", "b", "c", "b")]
