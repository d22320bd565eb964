"""`compact_memory`: which run of a schedule's tree is meant. What its program makes of it is the program's."""

from collections.abc import Mapping
from typing import Final

from perdure.errors import Conflict, RunNotFound, Unfit
from perdure.ids import RunId
from perdure.kernel.model import TERMINAL, Run
from perdure.kernel.values import Json
from perdure.registry.programs import Telling
from perdure.runtimes.context import RuntimeContext
from perdure.services.schedules import SCHEDULE
from perdure.stores.runs import Loaded, RunQuery

COMPACT: Final = "compact"  # the word that a program is told
PRESERVED: Final = 6  # messages that stay as they are, where nobody says how many
MODES: Final = ("light", "standard", "heavy")
MODE: Final = "standard"
FOCUS_LETTERS_MAX: Final = 2_000
LOOKED_AT: Final = 100  # of a schedule's runs, the newest first


def check(payload: Mapping[str, Json]) -> None:
    """Raises `Unfit` for what no compaction could be."""
    kept, mode = payload.get("preserve_recent", PRESERVED), payload.get("compression_mode", MODE)
    if isinstance(kept, bool) or not isinstance(kept, int) or kept < 0:
        raise Unfit("payload.preserve_recent is a count of messages.")
    if mode not in MODES:
        raise Unfit(f"payload.compression_mode is one of {', '.join(MODES)}.")
    for name in ("focus", "target_run_id"):
        value = payload.get(name)
        if value is not None and not isinstance(value, str):
            raise Unfit(f"payload.{name} is a text.")
        if len(value or "") > FOCUS_LETTERS_MAX:
            raise Unfit(f"payload.{name} has at most {FOCUS_LETTERS_MAX} letters.")


async def target(
    runtime: RuntimeContext, named: Run, payload: Mapping[str, Json], telling: Telling | None
) -> Loaded:
    """The run whose memory is to be compacted. Raises `Conflict` where there is none, `RunNotFound`.

    It is the one that is named, in the payload or by the command, or the nearest above it that has
    messages of its own; of a schedule the newest that is under way.
    """
    root = await _loaded(runtime, named.birth.root_id)
    if root.run.birth.program.kind != SCHEDULE:
        raise Conflict("Memory is compacted in the runs of a schedule, and this run is of none.", reason="not_scheduled")  # fmt: skip
    if telling is None:
        raise Conflict("No feature that compacts memory is installed.", reason="not_configured")
    meant = payload.get("target_run_id") or named.birth.id
    found = await _loaded(runtime, RunId(meant))
    if found.run.birth.root_id != root.run.birth.id:
        raise RunNotFound
    while found.run.birth.program.kind not in (telling.kind, SCHEDULE):
        found = await _above(runtime, found)
    if found.run.birth.program.kind == SCHEDULE:
        found = await _loaded(runtime, await _newest(runtime, found.run.birth.id))
    if found.run.status in TERMINAL:
        raise Conflict(f"The run has ended: it is {found.run.status}.", reason="ended")
    return found


async def _above(runtime: RuntimeContext, below: Loaded) -> Loaded:
    """The run above. Raises `RunNotFound`, also where that leads round, as the file of an import may say."""
    birth = below.run.birth
    if birth.parent_id is None:
        raise RunNotFound
    found = await _loaded(runtime, birth.parent_id)
    if found.run.birth.depth >= birth.depth:
        raise RunNotFound
    return found


async def _newest(runtime: RuntimeContext, schedule: RunId) -> RunId:
    page = await runtime.plane.runs.list(
        RunQuery(limit=LOOKED_AT, parent_id=schedule, drafts=True, hidden=True)
    )
    going = (it.birth.id for it in page.items if it.status not in TERMINAL)
    found = next(going, None)
    if found is None:
        raise Conflict(
            "No run of the schedule is under way. Each begins with the inputs of the schedule and takes no "
            "messages over from the one before, so there is nothing to compact.",
            reason="nothing_to_compact",
        )  # fmt: skip
    return found


async def _loaded(runtime: RuntimeContext, run_id: RunId) -> Loaded:
    loaded = (await runtime.plane.runs.load([run_id])).get(run_id)
    if loaded is None:
        raise RunNotFound
    return loaded
