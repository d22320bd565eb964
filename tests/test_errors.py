"""The tree of errors: drawn as it is, each with a code of its own and a title for a docstring."""

import inspect
import re

import pytest

from perdure import errors
from perdure.errors import Forbidden, GatewayError, LimitReached, RunNotFound, TooLarge


def tree_of(kind: type[GatewayError], depth: int = 0) -> list[tuple[int, str]]:
    """The class and all below it, each with its depth."""
    found = [(depth, kind.__name__)]
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            found += tree_of(child, depth + 1)
    return found


CLASSES: list[type[GatewayError]] = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, GatewayError)
]


def test_the_tree_is_drawn_as_it_is() -> None:
    drawing = re.findall(r"^([│├└─ ]*)([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE)
    drawn = [(len(lead) // 4, name) for lead, name in drawing if lead or name == "GatewayError"]
    assert sorted(drawn) == sorted(tree_of(GatewayError))


def test_every_error_has_a_code_of_its_own() -> None:
    assert len({kind.code for kind in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_docstring_is_the_title(kind: type[GatewayError]) -> None:
    title = (kind.__doc__ or "").strip().splitlines()[0]
    assert title
    assert kind().detail == title == str(kind())


def test_a_sentence_of_its_own_replaces_the_title() -> None:
    error = RunNotFound("There is no run r1.", run_id="r1")
    assert str(error) == error.detail == "There is no run r1."
    assert error.facts == {"run_id": "r1"}


def test_an_error_is_caught_as_its_ancestor_and_as_no_other() -> None:
    assert issubclass(TooLarge, LimitReached)
    assert not issubclass(TooLarge, Forbidden)
