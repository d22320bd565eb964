"""Every node type that runs, by its name in the drawing. A new one is a new entry, with its test."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from perdure.features.flows.model import NodeType
from perdure.features.flows.nodes import (
    agents,
    branches,
    children,
    ends,
    events,
    json_text,
    literals,
    logic,
    loops,
    models,
    numbers,
    objects,
    people,
    templates,
    texts,
    variables,
)

NODES: Final[Mapping[str, NodeType]] = MappingProxyType(
    {
        **ends.TYPES,
        **literals.TYPES,
        **variables.TYPES,
        **texts.TYPES,
        **templates.TYPES,
        **json_text.TYPES,
        **numbers.TYPES,
        **logic.TYPES,
        **objects.TYPES,
        **branches.TYPES,
        **loops.TYPES,
        **people.TYPES,
        **events.TYPES,
        **models.TYPES,
        **agents.TYPES,
        **children.TYPES,
    }
)
