"""The frozen table of what features brought."""

import pytest

from perdure.bundles.bundle import Bundle
from perdure.errors import Conflict, FeatureAbsent
from perdure.features.echo import FEATURE
from perdure.identity.access import RULES
from perdure.kernel.model import Event, ProgramRef
from perdure.kernel.program import Moment, Move, Program, View
from perdure.registry.feature import Feature
from perdure.registry.registry import registry_of


class Wrapped:
    """A program with a wrapper around it."""

    def __init__(self, inner: Program) -> None:
        """Keep what is inside."""
        self.inner = inner

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Ask what is inside."""
        return self.inner.next(cells, event, moment)


def test_what_a_feature_brought_is_found_by_its_name() -> None:
    """Effects and programs; and what nobody brought is not there."""
    registry = registry_of([FEATURE], RULES)
    assert registry.effect("echo") is FEATURE.effects["echo"]
    assert registry.effect("nothing") is None
    with pytest.raises(FeatureAbsent):
        registry.program(ProgramRef("nothing", None, ""), None)


def test_programs_come_wrapped() -> None:
    """By every feature that brings a wrapper."""
    registry = registry_of([FEATURE, Feature(name="rule", wrappers=(Wrapped,))], RULES)
    assert isinstance(registry.program(ProgramRef("echo", None, ""), None), Wrapped)


def test_two_features_with_one_name_are_refused_at_start() -> None:
    """Whichever came first."""

    def other(_ref: ProgramRef, _bundle: Bundle | None) -> Program:
        raise AssertionError

    with pytest.raises(Conflict, match="echo"):
        registry_of([FEATURE, Feature(name="twin", programs={"echo": other})], RULES)


def test_features_stand_in_the_order_of_their_names() -> None:
    """So that wrappers wrap in the same order everywhere."""
    registry = registry_of([Feature(name="b"), Feature(name="a")], RULES)
    assert [feature.name for feature in registry.features] == ["a", "b"]
