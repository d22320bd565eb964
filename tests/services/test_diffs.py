"""What changed between two records, value by value, and no more of it than is asked for."""

from pathlib import Path

import pytest

from perdure.kernel.values import Json
from perdure.services.diffs import VALUE_BYTES_MAX, Changed, changes, diff
from tests.support.branches import Branches, Do
from tests.support.running import Acted, Stage, always, running


@pytest.mark.parametrize(
    ("old", "new"), [(1, True), (1, 1.0), (0, False), (None, 0), ({"a": 1}, {"a": True})]
)
def test_values_that_only_python_takes_for_the_same_are_changed(old: Json, new: Json) -> None:
    assert changes({"c": old}, {"c": new}) == [Changed("c", "changed", old, new)]


def test_cells_come_go_and_stay() -> None:
    found = changes({"gone": 1, "same": {"a": [1]}, "new": 1}, {"same": {"a": [1]}, "new": 2, "came": None})  # fmt: skip
    assert [(one.name, one.how) for one in found] == [
        ("came", "added"), ("gone", "removed"), ("new", "changed"),
    ]  # fmt: skip


@pytest.mark.anyio
async def test_a_large_value_is_named_by_its_size_and_cells_are_bounded(tmp_path: Path) -> None:
    stage = Stage({"run": Branches((Do(),))}, {"echo": always(Acted())})
    async with running(tmp_path, stage) as on_stage:
        run_id = await on_stage.start(cells={"in/a": "x" * VALUE_BYTES_MAX})
        header = await on_stage.until(run_id)
        await on_stage.plane.runs.header(run_id)
        whole = await diff(on_stage.runtime, run_id, 0, None)
        assert whole.after == header.seq
        few = await diff(on_stage.runtime, run_id, 0, None, 1)
        assert (few.cells, few.left_out) == (whole.cells[:1], len(whole.cells) - 1)
