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

GROUPS: Final[Mapping[str, Mapping[str, NodeType]]] = MappingProxyType(
    {
        "Beginnings and ends": ends.TYPES,
        "Events and planned times": {**triggers.TYPES, **events.TYPES},
        "Ways and loops": {**branches.TYPES, **loops.TYPES},
        "People": people.TYPES,
        "Models, agents and other flows": {**models.TYPES, **agents.TYPES, **children.TYPES},
        "Tools": {**tools.TYPES, **residency.TYPES},
        "Code": code.TYPES,
        "Variables and the conversation": {**variables.TYPES, **messages.TYPES},
        "Values as drawn": {**literals.TYPES, **catalogs.TYPES},
        "Numbers, chance and the time": {**numbers.TYPES, **chance.TYPES},
        "Truths": logic.TYPES,
        "Text": {**texts.TYPES, **templates.TYPES, **json_text.TYPES, **reports.TYPES},
        "Objects and lists": {**objects.TYPES, **lists.TYPES},
        "Shapes that hosts know": envelopes.TYPES,
        "Files and artifacts": files.TYPES,
        "Pictures, films and sound": media.TYPES,
        "Memory": memory.TYPES,
    }
)
NODES: Final[Mapping[str, NodeType]] = MappingProxyType(
    {name: kind for group in GROUPS.values() for name, kind in group.items()}
)
