"""Nothing grows past the size that a reader takes in at once. The numbers never rise; the code divides."""

import tomllib
from pathlib import Path

from tests.house.tree import (
    ROOT,
    SRC,
    TESTS,
    functions_in,
    lines_of,
    modules_under,
    name_of,
    syntax_of,
)

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
TEST_LINES_MAX = 40
KERNEL_LINES_MAX = 1_500
COMPLEXITY_MAX = 8
ARGUMENTS_MAX = 6


def lines_in(path: Path) -> int:
    """How many lines the file has."""
    return len(path.read_text().splitlines())


def test_modules_are_short() -> None:
    too_long = {
        name_of(path): lines_in(path)
        for path in [
            *modules_under(SRC),
            *modules_under(TESTS),
            *modules_under(ROOT / "migrations"),
        ]
        if lines_in(path) > MODULE_LINES_MAX
    }
    assert too_long == {}, f"at most {MODULE_LINES_MAX} lines a module; divide it"


def test_functions_fit_a_screen() -> None:
    too_long = [
        f"{name_of(path)}:{node.lineno} {node.name} has {lines_of(node)} lines"
        for path in [*modules_under(SRC), *modules_under(TESTS)]
        for node in functions_in(syntax_of(path))
        if lines_of(node) > FUNCTION_LINES_MAX
    ]
    assert too_long == [], f"at most {FUNCTION_LINES_MAX} lines a function; divide it"


def test_tests_are_shorter_still() -> None:
    too_long = [
        f"{name_of(path)}:{node.lineno} {node.name} has {lines_of(node)} lines"
        for path in modules_under(TESTS)
        for node in functions_in(syntax_of(path))
        if node.name.startswith("test_") and lines_of(node) > TEST_LINES_MAX
    ]
    assert too_long == [], (
        f"at most {TEST_LINES_MAX} lines a test; move what is not the promise out"
    )


def test_the_kernel_can_be_read_in_an_evening() -> None:
    assert sum(lines_in(path) for path in modules_under(SRC / "kernel")) <= KERNEL_LINES_MAX


def test_the_linter_holds_the_same_numbers() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert lint["mccabe"]["max-complexity"] <= COMPLEXITY_MAX
    assert lint["pylint"]["max-args"] <= ARGUMENTS_MAX
