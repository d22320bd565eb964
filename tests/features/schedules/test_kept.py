"""A schedule that was lived elsewhere is shown like any other, or is refused at the door."""

from typing import Any

import pytest

from perdure.clock import time_of
from perdure.errors import Unfit
from perdure.features.schedules.kept import check_kept
from perdure.features.schedules.spec import Asked, Target, spec_of
from perdure.features.schedules.standing import BACKFILL, BUFFER, RUNNING, STANDING, Counts
from perdure.services.schedules import SPEC
from tests.support.builders import a_birth

AT = "2026-01-01T00:00:00.000000+00:00"
TERMS = spec_of(Asked(interval="1h", jitter="5m"), Target("b@1:main", "b@1", "main"), time_of(AT))
CELLS: dict[str, Any] = {
    SPEC: TERMS, STANDING: Counts(AT)._asdict(), RUNNING: {"run:1": {"planned_at": AT, "cause": "plan"}},
    BUFFER: [{"planned_at": AT, "outcome": "ran"}], BACKFILL: [AT],
}  # fmt: skip


def test_the_cells_of_a_schedule_are_let_in() -> None:
    check_kept(a_birth(), CELLS)
    check_kept(a_birth(), {SPEC: TERMS})


@pytest.mark.parametrize(
    "forged",
    [
        {SPEC: None}, {SPEC: {}}, {SPEC: {**TERMS, "interval": 5}}, {SPEC: {**TERMS, "timezone": "Nowhere"}},
        {SPEC: {**TERMS, "jitter": 0.5}}, {STANDING: {"anchor": "soon"}}, {STANDING: {"sung": 1}}, {RUNNING: [1]},
        {RUNNING: {"run:1": True}}, {BUFFER: {"a": 1}}, {BUFFER: [{"planned_at": 5}]}, {BACKFILL: "x"}, {BACKFILL: [[1]]},
    ],
)  # fmt: skip
def test_what_no_schedule_keeps_is_refused(forged: Any) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError, Unfit)):
        check_kept(a_birth(), {**CELLS, **forged})
