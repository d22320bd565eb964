"""What a plug-in may bring."""

from perdure.features.agents.feature import agents_feature
from perdure.features.echo import FEATURE
from perdure.registry.feature import Feature


def test_a_feature_brings_nothing_but_what_it_names() -> None:
    """Each part may be left out, and none is shared between two features."""
    one, other = Feature(name="one"), Feature(name="other")
    assert (one.effects, one.programs, one.actions, one.contracts) == ({}, {}, {}, {})
    assert one.effects is not other.effects and one.lifespan is None


def test_the_shipped_features_name_what_they_bring() -> None:
    """By the names that runs and records use."""
    assert set(FEATURE.effects) == set(FEATURE.programs) == {"echo"}
    assert set(agents_feature().programs) == {"react"}
