"""What is known of schedules where no feature is known: their words, and the terms that summaries show."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from perdure.runtimes.context import RuntimeContext
from perdure.stores.runs import Header

SCHEDULE: Final = "schedule"  # the kind of program, and of its waits
OCCURRENCE: Final = "schedule_occurrence"  # the effect word of a planned time that is not run
DEPRECATE: Final = "deprecate"  # the word by which a schedule hears of the marks of its bundle
RECURS: Final = "rt/_recurs"  # the cell by which a run knows that it is one of many of a schedule
SPEC: Final = "rt/_schedule"  # the cell of the terms, as the wire shows them


def is_schedule(header: Header) -> bool:
    """Whether a run is a schedule."""
    return header.birth.program.kind == SCHEDULE


async def with_terms(runtime: RuntimeContext, headers: Sequence[Header]) -> tuple[Header, ...]:
    """The same headers, those of schedules with their terms; these are read in one go."""
    ids = [header.birth.id for header in headers if is_schedule(header)]
    if not ids:
        return tuple(headers)
    loaded = await runtime.plane.runs.load(ids)
    return tuple(
        replace(header, schedule=loaded[header.birth.id].cells.get(SPEC))
        if header.birth.id in loaded
        else header
        for header in headers
    )
