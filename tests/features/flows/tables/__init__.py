"""A table for each node type: how it behaves, by example. `tests/support/tables.py` says how they read."""

from collections.abc import Mapping
from typing import Final

from tests.features.flows.tables import (
    asking,
    catalogs,
    code,
    control,
    ends,
    envelopes,
    events,
    files,
    lists,
    literals,
    logic,
    media,
    memory,
    models,
    numbers,
    objects,
    texts,
    tools,
    variables,
)
from tests.support.tables import Table

TABLES: Final[Mapping[str, list[Table]]] = {
    **ends.TABLES,
    **literals.TABLES,
    **variables.TABLES,
    **texts.TABLES,
    **numbers.TABLES,
    **logic.TABLES,
    **objects.TABLES,
    **lists.TABLES,
    **envelopes.TABLES,
    **catalogs.TABLES,
    **control.TABLES,
    **events.TABLES,
    **asking.TABLES,
    **models.TABLES,
    **tools.TABLES,
    **media.TABLES,
    **memory.TABLES,
    **files.TABLES,
    **code.TABLES,
}
