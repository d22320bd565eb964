"""What changed in a run between two of its records: cells that came, went, or have another value."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import orjson

from perdure.ids import RunId
from perdure.kernel.values import Json
from perdure.runtimes.context import RuntimeContext

CELLS_MAX: Final = 1_000  # of one answer
VALUE_BYTES_MAX: Final = 16 * 1024  # a larger value is named by its size


class Changed(NamedTuple):
    """One cell: how it changed, and its values before and after. `None` stands also where there is none."""

    name: str
    how: str  # added, removed, changed
    before: Json
    after: Json


class Diff(NamedTuple):
    """What changed, by name; `left_out` counts the cells beyond the bound."""

    run_id: RunId
    before: int
    after: int
    cells: tuple[Changed, ...]
    left_out: int


async def diff(
    runtime: RuntimeContext, run_id: RunId, before: int, after: int | None, limit: int = CELLS_MAX
) -> Diff:
    """The cells after one record beside those after another. Raises `RunNotFound`, `Invalid` beyond the head."""
    to = (await runtime.plane.runs.header(run_id)).seq if after is None else after
    old = await runtime.plane.runs.state(run_id, before)
    new = await runtime.plane.runs.state(run_id, to)
    changed = changes(old, new)
    return Diff(
        run_id, before, to, tuple(_bounded(one) for one in changed[:limit]), max(0, len(changed) - limit)
    )  # fmt: skip


def changes(old: Mapping[str, Json], new: Mapping[str, Json]) -> list[Changed]:
    """The cells that are not the same, by name."""
    changed = []
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            changed.append(Changed(name, "added", None, new[name]))
        elif name not in new:
            changed.append(Changed(name, "removed", old[name], None))
        elif not _same(old[name], new[name]):
            changed.append(Changed(name, "changed", old[name], new[name]))
    return changed


def _same(old: Json, new: Json) -> bool:
    """Whether two values are the same JSON: to Python, 1 is True and 1.0."""
    return old == new and orjson.dumps(old) == orjson.dumps(new)


def _bounded(one: Changed) -> Changed:
    return one._replace(before=_shown(one.before), after=_shown(one.after))


def _shown(value: Json) -> Json:
    size = len(orjson.dumps(value))
    return value if size <= VALUE_BYTES_MAX else {"$large": size}
