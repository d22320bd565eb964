"""What is promised of principals is kept by tests that are named for it, none missing and none made up."""

import re
from collections.abc import Iterator

from tests.house.tree import TESTS, functions_in, modules_under, syntax_of

# The numbered promises of identity, sessions, isolation, roles, runtimes and secrets, as far as they are kept here.
KEPT = {
    *range(1, 29), 30, 33, 59, 60, 61, 63, 64, *range(66, 75), *range(77, 86), 102, 103, *range(105, 108), 111, 112,
}  # fmt: skip
LAST = 162
NAMED = re.compile(r"test_promise_(\d+(?:_\d+)*)_[a-z]")


def numbers() -> Iterator[tuple[int, str]]:
    """The promises that tests are named for, each with the name."""
    for path in modules_under(TESTS):
        for function in functions_in(syntax_of(path)):
            if found := NAMED.match(function.name):
                yield from ((int(number), function.name) for number in found[1].split("_"))


def test_every_promise_has_a_test_of_its_name() -> None:
    assert sorted(KEPT - {number for number, _ in numbers()}) == []


def test_no_test_is_named_for_a_promise_that_nobody_made() -> None:
    assert [name for number, name in numbers() if not 1 <= number <= LAST] == []
