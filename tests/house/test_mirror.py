"""Each module has its test in the same place, or stands in the short list of those covered elsewhere."""

import ast
from fnmatch import fnmatch
from pathlib import Path

from tests.house.tree import SRC, TESTS, modules_under, syntax_of

# A pattern of modules → the test that covers them all, and why one test does.
COVERED_BY: dict[str, tuple[str, str]] = {
    "adapters/sql/*.py": (
        "stores/test_*.py",
        "one suite says what a store promises, for both databases",
    ),
    "api/schemas/*.py": ("api/test_*.py", "shapes of bodies, seen through their routes"),
    "app/selftest/*.py": (
        "isolation/test_*.py",
        "a trial of the whole product, which mutants of it must fail",
    ),
    "features/flows/nodes/*.py": (
        "features/flows/test_tables.py",
        "a table for each node type, and a test that fails for one without",
    ),
    "features/*/schemas.py": ("features/*/test_routes.py", "the same, of a feature's routes"),
}


def holds_code(path: Path) -> bool:
    """True if the module defines something that can be wrong: a function, or a class with one."""
    nodes = ast.walk(syntax_of(path))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes)


def mirror_of(module: str) -> Path:
    """Where the test of `module` stands."""
    path = Path(module)
    return TESTS / path.parent / f"test_{path.name}"


def needs_a_test() -> list[str]:
    """The modules that hold code; what a package's `__init__` shows is tested where it is made."""
    return [
        path.relative_to(SRC).as_posix()
        for path in modules_under(SRC)
        if path.name != "__init__.py" and holds_code(path)
    ]


def covered_elsewhere(module: str) -> bool:
    """True if a listed test exists that covers this module with its like."""
    return any(
        fnmatch(module, pattern) and any(TESTS.glob(test))
        for pattern, (test, _) in COVERED_BY.items()
    )


def test_every_module_has_its_test() -> None:
    alone = [
        it for it in needs_a_test() if not mirror_of(it).is_file() and not covered_elsewhere(it)
    ]
    assert alone == [], "write tests/<room>/test_<module>.py"


def test_the_list_of_exemptions_holds_nothing_stale() -> None:
    modules = [path.relative_to(SRC).as_posix() for path in modules_under(SRC)]
    assert [it for it in COVERED_BY if not any(fnmatch(module, it) for module in modules)] == []
