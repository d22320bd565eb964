"""`docs/map.md` shows the way that the code takes: twelve hops, in order, each of them there."""

import re

import pytest

from tests.house.tree import ROOT, SRC, definitions_in, syntax_of

HOP = re.compile(r"^\| *(\d+) *\| *`([\w/]+\.py):([\w.]+)` *\|", re.MULTILINE)
HOPS: list[tuple[str, str, str]] = HOP.findall((ROOT / "docs/map.md").read_text())


def test_the_hops_are_twelve() -> None:
    assert [int(number) for number, _, _ in HOPS] == list(range(1, 13))


@pytest.mark.parametrize(("number", "file", "name"), HOPS)
def test_a_hop_exists(number: str, file: str, name: str) -> None:
    assert (SRC / file).is_file(), f"hop {number} names a file that is not there"
    assert name in definitions_in(syntax_of(SRC / file)), f"hop {number} names what {file} lacks"
