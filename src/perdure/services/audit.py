"""What was done, tried and refused: written down, read, exported, and vouched for by signature."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

import anyio

from perdure.clock import text_of
from perdure.errors import Forbidden, GatewayError, Invalid, Unauthenticated
from perdure.identity.audit import (
    DENIED,
    DONE,
    FAILED,
    GENESIS,
    INTENT,
    Checkpoint,
    Entry,
    Head,
    covering,
    opening_line,
    signature_line,
)
from perdure.identity.principal import Principal
from perdure.identity.users import is_over
from perdure.ids import TenantId
from perdure.kernel.limits import INTEGER_MAX
from perdure.runtimes.control import ControlContext
from perdure.stores.audit import AuditPage, AuditQuery, Record
from perdure.stores.notary import checkpoint_of, seal_of

HOME: Final = TenantId("default")  # whose chain has what nobody in particular did
NOBODY: Final = "(nobody)"  # no user can have such a name
NOWHERE: Final = TenantId("")  # no tenant has this name
PAGE: Final = 1_000  # entries of an export that are in memory at once
OUTCOME_S: Final = 10.0  # how long an act that was cut off may take to write down its outcome
TEXT_MAX: Final = 200  # letters of what a client named


@dataclass(slots=True)
class Act:
    """One thing that is being done. Whoever does it says what it is about, as it becomes known."""

    entry: Entry
    facts: dict[str, Any] = field(default_factory=dict)
    elsewhere: Entry | None = None  # the same, for the chain of another tenant that it concerns

    def about(self, *, subject: str = "", tenant: str = "", target: str = "", **facts: Any) -> None:
        """Say whom it concerns, what it is done to, and short plain facts; never content, never a secret.

        Whoever is of another `tenant` than whoever acts finds it in the chain of their own.
        """
        if subject and tenant not in ("", self.entry.tenant):
            actor = abroad(self.entry.tenant, self.entry.actor)
            self.elsewhere = self.entry._replace(tenant=TenantId(tenant), actor=actor, subject=subject[:TEXT_MAX])  # fmt: skip
            subject = abroad(tenant, subject)
        if subject:
            self.entry = self.entry._replace(subject=subject[:TEXT_MAX])
        if target:
            self.entry = self.entry._replace(target=target[:TEXT_MAX])
        self.facts |= facts

    def by(self, principal: Principal) -> None:
        """Say who does it, where that is known only now: somebody who signs in."""
        self.entry = self.entry._replace(tenant=chain_of(principal), actor=principal.user)

    def ended(self, outcome: str, reason_code: str = "") -> Entry:
        """The entry of how it ended."""
        facts = {**self.entry.facts, **self.facts}
        return self.entry._replace(outcome=outcome, reason_code=reason_code, facts=facts)


def chain_of(principal: Principal) -> TenantId:
    """The tenant whose chain has what a principal does: that of their runtime."""
    return principal.runtime_tenant


def entry_of(
    principal: Principal | None, action: str, *, request_id: str = "", address: str = ""
) -> Entry:
    """An entry about something that a principal does, or that somebody tries who is nobody."""
    tenant = HOME if principal is None else chain_of(principal)
    actor = NOBODY if principal is None else principal.user
    resource_class = action.partition(":")[0]
    return Entry(
        tenant, actor, action, resource_class, request_id=request_id[:TEXT_MAX], address=address[:TEXT_MAX]
    )  # fmt: skip


def abroad(tenant: str, user: str) -> str:
    """A user of another tenant, by a name that no user of one's own can have."""
    return f"{tenant}/{user}"


async def note(control: ControlContext, entry: Entry) -> None:
    """Write down what happened. Returns after it is on disk."""
    await control.audit.append(_timed(control, entry))


@asynccontextmanager
async def acting(control: ControlContext, entry: Entry) -> AsyncIterator[Act]:
    """Write the intent down, let the act happen, then write down how it ended.

    What is not written down is not done: where the intent cannot be kept, nothing happens. Where
    the process ends in between, the intent has no outcome, and reads as unknown.
    """
    intent = await control.audit.append(_timed(control, entry._replace(outcome=INTENT)))
    act = Act(entry)
    try:
        yield act
    except BaseException as raised:
        await _settle(control, act, outcome_of(raised), intent)
        raise
    await _settle(control, act, (DONE, ""), intent)


def outcome_of(raised: BaseException) -> tuple[str, str]:
    """How an act ended that raised, and why, by a code."""
    if isinstance(raised, Forbidden | Unauthenticated):
        return DENIED, str(raised.facts.get("reason_code", raised.code))
    if isinstance(raised, GatewayError):
        return FAILED, raised.code
    return FAILED, "internal_error" if isinstance(raised, Exception) else "cut_off"


async def _settle(control: ControlContext, act: Act, outcome: tuple[str, str], intent: int) -> None:
    """Write an outcome down, also for a caller who is gone by now."""
    entry = _timed(control, act.ended(*outcome))
    with anyio.move_on_after(OUTCOME_S, shield=True):
        await control.audit.append(entry, settles=intent)
        if act.elsewhere is not None:
            told = act.elsewhere._replace(
                at=entry.at, outcome=entry.outcome, reason_code=entry.reason_code, facts=entry.facts
            )
            await control.audit.append(told)


def _timed(control: ControlContext, entry: Entry) -> Entry:
    return entry if entry.at else entry._replace(at=text_of(control.clock.now()))


# --- reading -------------------------------------------------------------------------------------


async def listed(control: ControlContext, query: AuditQuery) -> AuditPage:
    """A page of entries, newest first."""
    return await control.audit.page(query)


async def tail(control: ControlContext, tenant: TenantId, bytes_max: int) -> tuple[bytes, bool]:
    """The newest entries that fit, oldest of them first, a line for each; and whether there are more."""
    lines: list[bytes] = []
    size, before = 0, None
    while True:
        page = await control.audit.page(AuditQuery(tenant, limit=200, before=before))
        for record in page.items:
            line = record.line() + b"\n"
            if size + len(line) > bytes_max:
                return b"".join(reversed(lines)), True
            lines.append(line)
            size += len(line)
        if page.next is None:
            return b"".join(reversed(lines)), False
        before = page.next


async def export(control: ControlContext, tenant: TenantId, *, after: int) -> AsyncIterator[bytes]:
    """The lines of an export of what follows entry `after`: enough, with the public key, to check it.

    What is added to the chain meanwhile is left out: the seal says where it stood at the beginning.
    """
    head = await control.audit.head(tenant)
    after = min(after, head.seq)
    first = await control.audit.records(tenant, after=after - 1, limit=1) if after else ()
    yield opening_line(tenant, after, first[0].hash if first else GENESIS) + b"\n"
    at = after
    while at < head.seq:
        records = await control.audit.records(tenant, after=at, limit=PAGE)
        if not records:
            break
        marks = await _marks(control, tenant, at, records[-1].seq)
        for record in records:
            if record.seq > head.seq:
                break
            yield record.line() + b"\n"
            if (mark := marks.get(record.seq)) is not None:
                yield signature_line("checkpoint", mark) + b"\n"
        at = records[-1].seq
    # What is signed of entries beyond the end: the chain was cut where it lies, and a check shows it.
    end = (await control.audit.head(tenant)).seq
    for mark in await control.audit.checkpoints(tenant, after=end, limit=1):
        yield signature_line("checkpoint", mark) + b"\n"
    sealed = seal_of(control.notary, head, text_of(control.clock.now()), after)
    yield signature_line("seal", sealed) + b"\n"


async def _marks(
    control: ControlContext, tenant: TenantId, after: int, until: int
) -> dict[int, Checkpoint]:
    """The checkpoints of a stretch of a chain, by number."""
    found: dict[int, Checkpoint] = {}
    while True:
        page = await control.audit.checkpoints(tenant, after=after, limit=PAGE)
        found |= {mark.head.seq: mark for mark in page if mark.head.seq <= until}
        if len(page) < PAGE or page[-1].head.seq > until:
            return found
        after = page[-1].head.seq


def tenant_seen(principal: Principal, asked: str | None) -> TenantId:
    """Whose chain an admin reads; of a tenant that is not theirs, one that is always empty."""
    own = chain_of(principal)
    tenant = own if asked is None else TenantId(asked)
    return tenant if tenant == own or is_over(principal, tenant) else NOWHERE


async def own(
    control: ControlContext, principal: Principal, *, cursor: str | None, limit: int
) -> tuple[AuditPage, str | None]:
    """What concerns a principal, newest first, and the cursor of the next page. Raises `Invalid`."""
    before = None if cursor is None else _unveiled(control, cursor)
    page = await control.audit.page(
        AuditQuery(chain_of(principal), limit, before=before, subject=principal.user)
    )
    return page, None if page.next is None else _veiled(control, page.items[-1])


def _veiled(control: ControlContext, last: Record) -> str:
    """A cursor that does not say how many entries others have."""
    nonce = last.hash[:8]
    place = last.seq ^ _mask(control, nonce)
    return (nonce + place.to_bytes(8)).hex()


def _unveiled(control: ControlContext, cursor: str) -> int:
    try:
        content = bytes.fromhex(cursor)
    except ValueError:
        content = b""
    place = int.from_bytes(content[8:]) ^ _mask(control, content[:8])
    if len(content) != 16 or not 0 < place <= INTEGER_MAX:
        raise Invalid("`cursor` is not a cursor of this list.")
    return place


def _mask(control: ControlContext, nonce: bytes) -> int:
    return int.from_bytes(
        blake2b(nonce, key=control.pepper, digest_size=8, person=b"audit").digest()
    )


def public_key(control: ControlContext) -> dict[str, str]:
    """The key that checkpoints and seals are checked with."""
    return {"key_id": control.notary.key_id, "public_key": control.notary.public_pem}


# --- checkpoints -----------------------------------------------------------------------------------


async def vouch(control: ControlContext) -> int:
    """Sign where each chain stands that has moved since its last checkpoint; how many there were."""
    heads = covering(await control.audit.heads(), await control.audit.marked())
    at = text_of(control.clock.now())
    for head in heads:
        await control.audit.mark(checkpoint_of(control.notary, head, at))
    return len(heads)


async def checkpoints(
    control: ControlContext, tenant: TenantId, *, after: int, limit: int
) -> tuple[Head, list[Checkpoint]]:
    """Where a chain stands, and a page of what was signed of it."""
    found = await control.audit.checkpoints(tenant, after=after, limit=limit)
    return await control.audit.head(tenant), list(found)
