"""The room brings one kind of program, and works without a single tool."""

from perdure.features.agents.feature import agents_feature
from perdure.features.agents.react import React
from perdure.kernel.model import ProgramRef


def test_any_name_of_the_kind_is_the_loop() -> None:
    feature = agents_feature()
    assert (feature.name, list(feature.programs)) == ("agents", ["react"])
    make = feature.programs["react"]
    assert isinstance(make(ProgramRef("react", None, "visual_react_agent_x"), None), React)
