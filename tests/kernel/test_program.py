"""What a program is shown: cells under what it has written, and a moment that can be looked at again."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.kernel.model import GONE
from perdure.kernel.program import Moment, View
from perdure.kernel.values import Json
from tests.support.builders import AT, a_birth
from tests.support.clock import START
from tests.support.ledger import apply

NAMES = st.sampled_from(["in/a", "in/b", "out/a", "out/b"])
CELLS = st.dictionaries(NAMES, st.integers() | st.none())
WRITES = st.dictionaries(NAMES, st.integers() | st.none() | st.just(GONE))


@given(CELLS, WRITES)
def test_a_view_is_the_cells_after_the_writes(
    base: Mapping[str, Json], pending: Mapping[str, Json]
) -> None:
    view = View(base)
    view.pending.update(pending)
    after = dict(base)
    apply(after, pending)
    for name in ["in/a", "in/b", "out/a", "out/b", "none"]:
        assert (name in view) == (name in after)
        assert view.get(name, "default") == after.get(name, "default")
    assert sorted(view.names()) == sorted(after)
    assert sorted(view.names("out/")) == sorted(name for name in after if name.startswith("out/"))
    assert {name: view[name] for name in view.names()} == after


@pytest.mark.parametrize("pending", [{}, {"in/a": GONE}])
def test_a_cell_that_is_not_there_is_an_error_to_read(pending: dict[str, Json]) -> None:
    view = View({"in/a": 1} if pending else {})
    view.pending.update(pending)
    with pytest.raises(KeyError, match="in/a"):
        view["in/a"]


def test_a_moment_tells_the_same_time_and_chance_whenever_it_is_looked_at() -> None:
    birth = a_birth()
    moment, again = Moment(birth, 3, START), Moment(birth, 3, START)
    assert moment.text == moment.text == again.text == AT
    assert moment.seed == again.seed
    assert len(moment.seed) == 32


def test_chance_is_drawn_anew_each_time_and_alike_when_looked_at_again() -> None:
    moment, again = Moment(a_birth(), 3, START), Moment(a_birth(), 3, START)
    drawn = [moment.draw() for _ in range(3)]
    assert [again.draw() for _ in range(3)] == drawn
    assert len(set(drawn)) == 3


def test_each_moment_has_its_own_chance() -> None:
    moments = [
        Moment(a_birth(name), version, START + timedelta(seconds=later))
        for name in ("one", "two")
        for version in (1, 2)
        for later in (0, 1)
    ]
    assert len({moment.seed for moment in moments}) == 4  # by run and version, not by the time
