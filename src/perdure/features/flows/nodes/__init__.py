"""Every node type that runs, by its name in the drawing. A new one is a new entry, with its table."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from perdure.features.flows.model import NodeType
from perdure.features.flows.nodes import (
    agents,
    branches,
    catalogs,
    chance,
    children,
    code,
    ends,
    envelopes,
    events,
    files,
    json_text,
    lists,
    literals,
    logic,
    loops,
    media,
    memory,
    messages,
    models,
    numbers,
    objects,
    people,
    reports,
    residency,
    templates,
    texts,
    tools,
    triggers,
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
        **triggers.TYPES,
        **lists.TYPES,
        **chance.TYPES,
        **envelopes.TYPES,
        **reports.TYPES,
        **catalogs.TYPES,
        **messages.TYPES,
        **tools.TYPES,
        **residency.TYPES,
        **media.TYPES,
        **memory.TYPES,
        **files.TYPES,
        **code.TYPES,
    }
)
