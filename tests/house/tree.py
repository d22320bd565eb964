"""The checkout as the house tests see it: its modules, their functions, the files under version control."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "perdure"
TESTS = ROOT / "tests"

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules_under(folder: Path) -> list[Path]:
    """Every Python module below `folder`, in order."""
    return sorted(folder.rglob("*.py"))


def name_of(path: Path) -> str:
    """The path as a reader of the checkout writes it."""
    return path.relative_to(ROOT).as_posix()


def syntax_of(path: Path) -> ast.Module:
    """The module's syntax tree."""
    return ast.parse(path.read_text(), filename=str(path))


def functions_in(tree: ast.AST) -> Iterator[Function]:
    """Every function and method, nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, FUNCTIONS))


def lines_of(node: Function) -> int:
    """How many lines the function takes from `def` to its end, docstring included."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def definitions_in(tree: ast.Module) -> set[str]:
    """The names defined at the top of the module, and `Class.method` for each method."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, FUNCTIONS):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names.add(node.name)
            names |= {f"{node.name}.{it.name}" for it in node.body if isinstance(it, FUNCTIONS)}
    return names


def tracked_files() -> list[Path]:
    """Every file under version control that is still there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]
