"""What is promised of principals is kept by tests that are named for it, on both databases, none made up."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from tests.house.tree import ROOT, TESTS, functions_in, modules_under, syntax_of
from tests.support.planes import DATABASES

# The numbered promises of identity, sessions, isolation, roles, runtimes and secrets, as far as they are kept here.
KEPT = {
    *range(1, 29), 30, 33, 59, 60, 61, 63, 64, *range(66, 75), *range(77, 86), 102, 103, *range(105, 108), 111, 112,
}  # fmt: skip
LAST = 162
NAMED = re.compile(r"test_promise_(\d+(?:_\d+)*)_[a-z]")
COLLECTED = re.compile(r"::(test_promise_\w+)(?:\[(.*)\])?$")

# Promises that no database has a part in.
STORELESS: Final[Mapping[int, str]] = {
    67: "what a workspace is called, and which paths of it are refused: text against text",
    69: "what is not in the table of access: the table is code, and is asked before any store",
    72: "what discovery shows to whom: computed of the table of access and the routes",
    82: "whether two ids are the very same letters",
    84: "what is taken away of the folder of a runtime: a disk, whichever database is beside it",
    112: "the files that hold keys, which lie in no database",
}
# Tests that wait for something, and yet ask no database.
OF_NO_STORE: Final[Mapping[str, str]] = {
    "test_promise_03_a_principal_comes_from_its_credential_alone": "asks for the one token of settings",
    "test_promise_23_beside_a_bearer_no_session_is_looked_at": "counts what credentials are asked for",
    "test_promise_102_a_provider_that_repeats_the_key_does_not_put_it_on_record": "masks an answer",
}


def promised() -> Iterator[tuple[int, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """The promises that tests are named for, each with the test."""
    for path in modules_under(TESTS):
        for function in functions_in(syntax_of(path)):
            if found := NAMED.match(function.name):
                yield from ((int(number), function) for number in found[1].split("_"))


@cache
def databases() -> Mapping[str, set[str]]:
    """On which databases each test of a promise is held, as pytest itself counts them."""
    files = [str(path) for path in modules_under(TESTS) if "def test_promise_" in path.read_text()]
    asked = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]  # fmt: skip
    said = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    found: dict[str, set[str]] = defaultdict(set)
    for line in said.stdout.splitlines():
        if one := COLLECTED.search(line):
            found[one[1]] |= set(DATABASES) & set((one[2] or "").split("-"))
    return found


def test_every_promise_has_a_test_of_its_name() -> None:
    assert sorted(KEPT - {number for number, _ in promised()}) == []


def test_no_test_is_named_for_a_promise_that_nobody_made() -> None:
    assert [it.name for number, it in promised() if not 1 <= number <= LAST] == []


def test_every_promise_is_proven_on_both_databases() -> None:
    proven = {number for number, it in promised() if databases()[it.name] == set(DATABASES)}
    assert sorted(KEPT - proven - STORELESS.keys()) == []
    assert sorted(STORELESS.keys() & proven) == [], "these are proven on both: take them out"


def test_whatever_of_a_promise_asks_a_store_asks_both() -> None:
    """A test that waits for nothing asks no store; any other is held on both, or says why not."""
    waits = {it.name for number, it in promised() if number in KEPT and isinstance(it, ast.AsyncFunctionDef)}  # fmt: skip
    both = {name for name in waits if databases()[name] == set(DATABASES)}
    assert sorted(waits - both - OF_NO_STORE.keys()) == []
    assert sorted(OF_NO_STORE.keys() - waits | OF_NO_STORE.keys() & both) == [], "take these out"
