"""What the agents room brings."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from perdure.bundles.bundle import Bundle
from perdure.features.agents.react import React
from perdure.features.agents.tools import ToolSpec
from perdure.kernel.model import ProgramRef
from perdure.kernel.program import Program
from perdure.registry.feature import Feature

NO_TOOLS: Final[Mapping[str, ToolSpec]] = MappingProxyType({})


def agents_feature(tools: Mapping[str, ToolSpec] = NO_TOOLS) -> Feature:
    """The feature over the tools that are installed; none is as good as many."""
    program = React(dict(tools))

    def react(ref: ProgramRef, bundle: Bundle | None) -> Program:
        """Every reference of the kind is the same loop; a run's cells say what it is asked."""
        return program

    return Feature(name="agents", programs={"react": react})
