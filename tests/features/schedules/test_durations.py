"""Lengths of time: what is read, and what is refused."""

from datetime import timedelta

import pytest

from perdure.errors import Unfit
from perdure.features.schedules.durations import duration_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20m", 1_200), ("1.5h", 5_400), ("2h30m", 9_000), ("250ms", 0.25), (" 1d 2h ", 93_600), ("15S", 15),
        ("PT20M", 1_200), ("P1DT12H", 129_600), ("P2W", 1_209_600), ("pt0.5s", 0.5), ("0s", 0),
    ],
)  # fmt: skip
def test_lengths_of_time_are_read(text: str, seconds: float) -> None:
    assert duration_of(text, "interval") == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "banana", "20", "m", "-5m", "1 year", "P", "PT", "P1DT", "1e3s", "999999d", "5m!"])  # fmt: skip
def test_what_is_no_length_of_time_is_refused_by_the_name_of_its_field(text: str) -> None:
    with pytest.raises(Unfit, match="interval"):
        duration_of(text, "interval")
