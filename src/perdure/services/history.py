"""All that a client shows of a run at once: its tree's ledgers, their timeline, and its session's turns."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

import orjson

from perdure.ids import ArtifactId, RunId
from perdure.kernel.values import Json
from perdure.runtimes.context import RuntimeContext
from perdure.services.births import PROMPT_LETTERS_MAX, inputs_of, prompt_of
from perdure.stores.artifacts import VALUE, Artifact
from perdure.stores.records import Record
from perdure.stores.runs import Header, RunQuery

RUNS_MAX: Final = 500  # of one tree
RECORDS_MAX: Final = 20_000  # of one answer, all ledgers together
PAGE: Final = 2_000
ARTIFACTS_MAX: Final = 1_000  # of all turns together, the newest
SNAPSHOT_PREFIX: Final = "flow-"
SNAPSHOT_TYPE: Final = "application/json"


class Asked(NamedTuple):
    """How much of a history is wanted."""

    subruns: bool = True
    session: bool = False
    turns_max: int = 200
    whole: bool = False  # ledgers from their beginning, else their last records
    records_max: int = 2_000  # of each ledger


class LedgerPart(NamedTuple):
    """Some records of one ledger, in order, and how many it has."""

    run_id: RunId
    total: int
    records: Sequence[Record]


class Snapshot(NamedTuple):
    """The flow that a run is pinned to, as it was drawn; kept with the bundle, shown as an artifact."""

    artifact_id: ArtifactId
    sha256: str
    content: bytes


class Turn(NamedTuple):
    """One run of a session, as a conversation shows it."""

    header: Header
    prompt: str
    artifacts: Sequence[
        Artifact
    ] = ()  # that it made, but for values that were too large for their cells


class History(NamedTuple):
    """What `history` found."""

    header: Header
    inputs: Mapping[str, Json]
    snapshot: Snapshot | None
    ledgers: Sequence[LedgerPart]
    turns: Sequence[Turn] | None


async def history(runtime: RuntimeContext, run_id: RunId, asked: Asked) -> History:
    """Gather the history of a run. Raises `RunNotFound`."""
    header = await runtime.plane.runs.header(run_id)
    tree = [header, *(await descendants(runtime, header) if asked.subruns else ())]
    return History(
        header=header,
        inputs=inputs_of(await runtime.plane.runs.state(run_id, 0)),
        snapshot=await snapshot(runtime, header),
        ledgers=await _ledgers(runtime, tree, asked),
        turns=await _turns(runtime, header, asked.turns_max) if asked.session else None,
    )


async def snapshot(runtime: RuntimeContext, header: Header) -> Snapshot | None:
    """The flow that a run is pinned to, or `None` where it is pinned to none."""
    ref = header.birth.program
    flow = None if ref.bundle is None else (await runtime.bundle(ref.bundle)).flows.get(ref.name)
    if flow is None:
        return None
    content = orjson.dumps(flow)
    digest = sha256(content).hexdigest()
    return Snapshot(ArtifactId(f"{SNAPSHOT_PREFIX}{digest[:32]}"), digest, content)


async def descendants(runtime: RuntimeContext, header: Header) -> list[Header]:
    """The runs below a run, oldest first."""
    query = RunQuery(limit=RUNS_MAX, root_id=header.birth.root_id, hidden=True, drafts=True)
    tree = sorted((await runtime.plane.runs.list(query)).items, key=_by_depth)
    below, found = {header.birth.id}, []
    for one in tree:
        if one.birth.parent_id in below:
            below.add(one.birth.id)
            found.append(one)
    return found


def _by_depth(header: Header) -> tuple[int, str]:
    return header.birth.depth, header.birth.created_at


async def _ledgers(
    runtime: RuntimeContext, tree: Sequence[Header], asked: Asked
) -> list[LedgerPart]:
    parts, room = [], RECORDS_MAX
    for header in tree:
        wanted = min(RECORDS_MAX if asked.whole else asked.records_max, room)
        after = 0 if asked.whole else max(0, header.seq - wanted)
        records = await _records(runtime, header.birth.id, after, wanted)
        room -= len(records)
        parts.append(LedgerPart(header.birth.id, header.seq, records))
    return parts


async def _records(
    runtime: RuntimeContext, run_id: RunId, after: int, wanted: int
) -> Sequence[Record]:
    found: list[Record] = []
    while len(found) < wanted:
        limit = min(PAGE, wanted - len(found))
        page = await runtime.plane.runs.ledger(run_id, after=after, limit=limit)
        found += page
        if len(page) < limit:
            break
        after = page[-1].seq
    return found


async def _turns(runtime: RuntimeContext, header: Header, turns_max: int) -> list[Turn]:
    """The root runs of the session, oldest first."""
    query = RunQuery(
        limit=turns_max, session_id=header.birth.session_id, root_only=True, drafts=True
    )
    newest_first = (await runtime.plane.runs.list(query)).items
    owners = [one.birth.id for one in newest_first]
    made, _ = await runtime.plane.artifacts.list(owners, limit=ARTIFACTS_MAX, offset=0)
    shown = [one for one in made if one.kind != VALUE]
    return [
        Turn(one, await _prompt(runtime, one), [it for it in shown if it.owner == one.birth.id])
        for one in reversed(newest_first)
    ]


async def _prompt(runtime: RuntimeContext, header: Header) -> str:
    """The whole prompt; the header keeps its beginning."""
    kept = header.birth.prompt
    if len(kept) < PROMPT_LETTERS_MAX:
        return kept
    inputs = inputs_of(await runtime.plane.runs.state(header.birth.id, 0))
    return prompt_of(inputs, letters_max=None)
