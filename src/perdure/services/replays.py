"""Ledgers decided again: told as far as a record, held against what was written, or against another definition.

Nothing is performed, sent or committed: outcomes and answers are those that were recorded.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import orjson
from msgspec.structs import replace

from perdure.errors import Invalid
from perdure.ids import RunId
from perdure.kernel.model import Birth, ProgramRef, Step
from perdure.kernel.values import Json
from perdure.runtimes.containing import containing
from perdure.runtimes.context import RuntimeContext
from perdure.services import bundles
from perdure.services.births import StartRequest
from perdure.services.retold import Retold
from perdure.stores.records import Recorded, body_of, detail_of, encoded
from perdure.stores.runs import Header, RunQuery, Whole

PAGE: Final = 200  # records read at once; between two pages others have their turn
VERIFIED_MAX: Final = 1_000  # ledgers of one question
EXCERPT_LETTERS: Final = 500
LOOKED_AT: Final = ("seq", "node_id", "status", "effect", "result", "error")
NOTHING: Final = "no record"


class Difference(NamedTuple):
    """The first record that comes out otherwise: which part of it, as it was and as it would be."""

    seq: int
    part: str
    recorded: Json
    decided: Json


class Replayed(NamedTuple):
    """What came of a ledger that was decided again; without a difference it is identical."""

    run_id: RunId
    records: int
    difference: Difference | None = None


class Told(NamedTuple):
    """A run told again as far as was wanted, and what was different on the way."""

    retold: Retold
    records: int
    difference: Difference | None


class Upto(NamedTuple):
    """How far a ledger is told: to the record `seq`, and no further than the time `at`."""

    seq: int
    at: str | None = None


async def replay(runtime: RuntimeContext, run_id: RunId) -> Replayed:
    """Decide the whole ledger of a run again. Raises `RunNotFound`."""
    header = await runtime.plane.runs.header(run_id)
    told = await tell(runtime, header.birth, Upto(header.seq))
    return Replayed(run_id, told.records, told.difference or _beyond(told, header))


async def verify(
    runtime: RuntimeContext, request: StartRequest, run_ids: Sequence[RunId], limit: int
) -> list[Replayed]:
    """Decide ledgers again as another version of their flow would have: the runs named, else the newest.

    Held against each other is what a run did: its effects, waits, children and end, and not how it
    came to it. Raises `RunNotFound`, `BundleNotFound`, `FlowNotFound`.
    """
    chosen = await bundles.chosen(runtime, request)
    found = [await runtime.plane.runs.header(run_id) for run_id in run_ids]
    if not found:
        found = await _runs_of(runtime, chosen.program, limit)
    replayed = []
    for header in found:
        birth = replace(header.birth, program=chosen.program, workflow_id=chosen.workflow_id)
        told = await tell(runtime, birth, Upto(header.seq), header.birth)
        difference = told.difference or _beyond(told, header)
        replayed.append(Replayed(header.birth.id, told.records, difference))
    return replayed


async def _runs_of(runtime: RuntimeContext, chosen: ProgramRef, limit: int) -> list[Header]:
    """The newest runs of a flow, whatever its version."""
    assert chosen.bundle is not None, "flows are in bundles"
    bundle_id = (await runtime.bundle(chosen.bundle)).manifest.bundle_id
    found: list[Header] = []
    query = RunQuery(limit=PAGE, hidden=True, drafts=True)
    while len(found) < limit:
        page = await runtime.plane.runs.list(query)
        for header in page.items:
            ref = header.birth.program
            if ref.bundle is None or (ref.kind, ref.name) != (chosen.kind, chosen.name):
                continue
            if (await runtime.bundle(ref.bundle)).manifest.bundle_id == bundle_id:
                found.append(header)
        if page.next is None:
            break
        query = replace(query, after=page.next)
    return found[:limit]


async def tell(
    runtime: RuntimeContext, birth: Birth, upto: Upto, written: Birth | None = None
) -> Told:
    """Tell a run again, as far as a record and a time; it ends at the first difference.

    `written` is the birth that its ledger was written under, where that is another. A principal has one
    told at a time: each page is decided without a pause, and many at once would be one long pause for others.
    """
    async with runtime.telling:
        return await _told(runtime, birth, upto, written)


async def _told(runtime: RuntimeContext, birth: Birth, upto: Upto, written: Birth | None) -> Told:
    program = await runtime.program_of(birth)
    retold = Retold(birth, await runtime.plane.runs.state(birth.id, 0), program)
    at = 0
    while at < upto.seq:
        limit = min(PAGE, upto.seq - at)
        page = await runtime.plane.runs.recorded(birth.id, after=at, limit=limit)
        for whole in page:
            if upto.at is not None and whole.read.at > upto.at:
                return Told(retold, at, None)
            difference: Difference | None = None
            with containing("program", run_id=birth.id) as contained:
                difference = _difference(retold, whole, birth, written)
            if contained.bug is not None:
                raised = f"the program raised {contained.bug}"
                difference = Difference(whole.record.seq, "record", _said(whole), raised)
            if difference is not None:
                return Told(retold, at, difference)
            at = whole.record.seq
        if len(page) < limit:
            raise Invalid(f"The ledger ends at {at}.", seq=at)
    return Told(retold, at, None)


def _beyond(told: Told, header: Header) -> Difference | None:
    """The record that the ledger lacks, where the last decision makes more of them."""
    if not told.retold.left():
        return None
    return Difference(header.seq + 1, "record", NOTHING, "one more")


def _difference(
    retold: Retold, whole: Whole, birth: Birth, written: Birth | None
) -> Difference | None:
    step = retold.take(whole.read)
    if step is None:
        return Difference(whole.record.seq, "record", _said(whole), NOTHING)
    if written is None:
        return _from_written(step, whole, birth)
    return _from_done(step, whole.read, birth, written)


def _said(whole: Whole) -> Json:
    """What a record is, in short."""
    body = whole.read.body
    return {"status": body["status"], "effect": (body["effect"] or {}).get("type")}


def _from_written(step: Step, whole: Whole, birth: Birth) -> Difference | None:
    """How a record differs from the very bytes that were written."""
    body, detail = body_of(birth, step), detail_of(step)
    if not whole.light:
        record = whole.record
        if encoded(body) == record.body and encoded(detail) == record.detail:
            return None
    decided = orjson.loads(encoded({**body, "detail": detail}))
    return differing(step.seq, {**whole.read.body, "detail": dict(whole.read.detail)}, decided)


def _from_done(step: Step, read: Recorded, birth: Birth, written: Birth) -> Difference | None:
    """How what a run does differs from what it did; its own version is no difference."""
    decided = {**body_of(birth, step), "seq": step.seq}
    recorded = {**read.body, "seq": read.seq}
    beside = {"class": read.detail.get("class")}
    said = encoded({**{it: decided[it] for it in LOOKED_AT}, "class": step.effect_class})
    own = _prefix_of(birth.workflow_id).encode()
    said = said.replace(own, _prefix_of(written.workflow_id).encode())
    return differing(
        step.seq, {**{it: recorded[it] for it in LOOKED_AT}, **beside}, orjson.loads(said)
    )


def _prefix_of(workflow_id: str) -> str:
    """`bundle@version:`, which the ids of a bundle's flows have in common."""
    return workflow_id.rpartition(":")[0] + ":"


def differing(seq: int, recorded: Json, decided: Json, part: str = "") -> Difference | None:
    """The first part in which two values differ, named by its path; `None` where they are the same."""
    if recorded == decided:
        return None
    if isinstance(recorded, dict) and isinstance(decided, dict):
        for name in dict.fromkeys((*recorded, *decided)):
            deeper = f"{part}.{name}" if part else name
            if name not in recorded or name not in decided:
                return Difference(
                    seq, deeper, _excerpt(recorded.get(name)), _excerpt(decided.get(name))
                )
            found = differing(seq, recorded[name], decided[name], deeper)
            if found is not None:
                return found
    return Difference(seq, part, _excerpt(recorded), _excerpt(decided))


def _excerpt(value: Json) -> Json:
    """A value as a report shows it: whole where it is short."""
    text = orjson.dumps(value).decode()
    return value if len(text) <= EXCERPT_LETTERS else text[:EXCERPT_LETTERS] + "…"
