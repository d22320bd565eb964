"""What is kept of who did what, how the entries of a tenant are chained, and how a chain is checked. Pure.

A chain is checked from an export and public keys alone. An export is lines: one that opens it,
the entries with their numbers and hashes, the signed checkpoints between them, and the seal at its
end, which says with a signature where the chain stood when it was exported. So a chain that was
hashed anew after a change disagrees with a checkpoint, and one that was cut has no seal, or a
seal that says more than is there.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from struct import Struct
from typing import Any, Final, NamedTuple

from perdure.ids import TenantId

GENESIS: Final = bytes(32)  # the hash before the first entry
FORMAT: Final = "perdure.audit.1"
CHECKPOINT: Final = "perdure.audit.checkpoint"
SEAL: Final = "perdure.audit.seal"
INTENT, DONE, FAILED, DENIED = "intent", "done", "failed", "denied"
UNKNOWN: Final = "unknown"  # how an intent reads that nobody wrote the outcome of
OUTCOMES: Final = (INTENT, DONE, FAILED, DENIED)

TAIL_BYTES_MAX: Final = 200  # of a line: its number and its hashes

_LENGTH: Final = Struct(">I").pack
_NUMBER: Final = Struct(">Q").pack
_TAIL: Final = re.compile(
    rb',"seq":(\d{1,18}),"prev_hash":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}$'
)


class Entry(NamedTuple):
    """One thing that was done, tried or refused. Holds no content, no secret, no token.

    `subject` is whom it concerns: whose data were touched, else who did it. `facts` are short
    plain values.
    """

    tenant: TenantId
    actor: str
    action: str
    resource_class: str
    at: str = ""
    subject: str = ""
    target: str = ""
    outcome: str = DONE
    reason_code: str = ""
    request_id: str = ""
    address: str = ""
    facts: Mapping[str, Any] = {}

    def fields(self) -> dict[str, Any]:
        """What is written down, in its order."""
        fields = self._asdict()
        fields["subject"] = self.subject or self.actor
        fields["facts"] = dict(self.facts)
        return fields


class Head(NamedTuple):
    """Where a chain stands: the number and the hash of its last entry."""

    tenant: TenantId
    seq: int
    hash: bytes


class Checkpoint(NamedTuple):
    """The word of the installation, by signature, that a chain stood so at a time."""

    head: Head
    at: str
    key_id: str
    signature: bytes


class Verdict(NamedTuple):
    """Whether a chain is what was written. `bad_seq` is the first number at which it is not."""

    ok: bool
    tenant: str
    records: int
    bad_seq: int | None = None
    why: str | None = None
    sealed_at: str | None = None


Signed = Callable[
    [str, bytes, bytes], bool
]  # (key id, what was signed, signature) → whether it was


def hash_of(previous: bytes, tenant: str, seq: int, body: bytes) -> bytes:
    """Chain an entry to the one before: sha256 over the four parts, each with its length before it."""
    return sha256(_framed(previous, tenant.encode(), _NUMBER(seq), body)).digest()


def signed_part(purpose: str, head: Head, at: str, after: int = 0) -> bytes:
    """What a checkpoint or a seal signs; `after` is where the export begins that a seal ends."""
    parts = (purpose, head.tenant, at)
    numbers = (_NUMBER(head.seq), _NUMBER(after))
    return _framed(*(part.encode() for part in parts), *numbers, head.hash)


def line_of(seq: int, previous: bytes, body: bytes, digest: bytes) -> bytes:
    """An entry as an export has it: its bytes, with its number and both hashes spliced on."""
    return b'%b,"seq":%d,"prev_hash":"%b","hash":"%b"}' % (
        body[:-1], seq, previous.hex().encode(), digest.hex().encode(),
    )  # fmt: skip


def opening_line(tenant: str, after: int, previous: bytes) -> bytes:
    """The first line of an export of what follows entry `after`, whose hash is `previous`."""
    return _line({"export": FORMAT, "tenant": tenant, "after": after, "prev_hash": previous.hex()})


def signature_line(name: str, signed: Checkpoint) -> bytes:
    """A checkpoint, or under the name `seal` the last line of an export."""
    return _line({name: {
        "tenant": signed.head.tenant, "seq": signed.head.seq, "hash": signed.head.hash.hex(),
        "at": signed.at, "key_id": signed.key_id, "signature": signed.signature.hex(),
    }})  # fmt: skip


def verify(lines: Iterable[bytes], signed: Signed) -> Verdict:
    """Check an export, line by line; the first thing that is not as it was written ends it."""
    chain = _Chain(signed)
    try:
        for line in lines:
            if line.strip():
                chain.read(line.strip())
        chain.end()
    except _Broken as broken:
        return Verdict(False, chain.tenant, chain.records, broken.seq, str(broken), chain.sealed_at)
    return Verdict(True, chain.tenant, chain.records, sealed_at=chain.sealed_at)


def covering(heads: Sequence[Head], known: Mapping[TenantId, int]) -> list[Head]:
    """The heads that no checkpoint speaks of yet, by the number of each tenant's last one."""
    return [head for head in heads if head.seq > known.get(head.tenant, 0)]


class _Broken(Exception):
    """The chain is not what was written, from `seq` on."""

    def __init__(self, seq: int, why: str) -> None:
        self.seq = seq
        super().__init__(why)


class _Chain:
    """What was read of an export so far."""

    def __init__(self, signed: Signed) -> None:
        self._signed = signed
        self.tenant = ""
        self.sealed_at: str | None = None
        self.records = 0
        self._opened = False
        self._after = self._seq = 0
        self._vouched = 0  # the last number that a checkpoint has vouched for
        self._hash = GENESIS

    def read(self, line: bytes) -> None:
        """Take one line. Raises `_Broken`."""
        if self.sealed_at is not None:
            raise self._broken("something follows the seal")
        tail = _TAIL.search(line, max(0, len(line) - TAIL_BYTES_MAX))
        if not self._opened:
            self._open(_parsed(line))
        elif tail is not None:
            self._entry(line[: tail.start()] + b"}", int(tail[1]), tail[2], tail[3])
        else:
            self._mark(_parsed(line))

    def end(self) -> None:
        """Say that no line follows. Raises `_Broken`."""
        if self.sealed_at is None:
            raise self._broken("the export is cut: its seal is missing")

    def _broken(self, why: str) -> _Broken:
        return _Broken(self._seq + 1, why)

    def _open(self, said: Mapping[str, Any]) -> None:
        after, previous = said.get("after"), said.get("prev_hash")
        if said.get("export") != FORMAT or not isinstance(after, int) or after < 0:
            raise self._broken("this is no export of an audit chain")
        self._opened, self.tenant = True, str(said.get("tenant"))
        self._after = self._seq = self._vouched = after
        if after:
            self._hash = _bytes(previous)
        elif previous != GENESIS.hex():
            raise self._broken("the chain does not begin where chains begin")

    def _entry(self, body: bytes, seq: int, previous: bytes, digest: bytes) -> None:
        if seq != self._seq + 1:
            raise self._broken(f"entry {self._seq + 1} is not in its place, where entry {seq} is")
        if previous != self._hash.hex().encode():
            raise self._broken(f"entry {seq} does not follow the one before it")
        made = hash_of(self._hash, self.tenant, seq, body)
        if made.hex().encode() != digest:
            raise self._broken(f"entry {seq} is not what was written")
        self._seq, self._hash = seq, made
        self.records += 1

    def _mark(self, said: Mapping[str, Any]) -> None:
        name = "seal" if "seal" in said else "checkpoint"
        told = said.get(name)
        if not isinstance(told, dict):
            raise self._broken("there is a line that is neither entry nor checkpoint")
        mark = _checkpoint(told)
        if mark.head.seq > self._seq:
            raise self._broken(f"the {name} speaks of entry {mark.head.seq}, which is missing")
        if name == "checkpoint" and mark.head.seq <= self._after:
            return  # it vouches for what this export leaves out
        if mark.head != Head(TenantId(self.tenant), self._seq, self._hash):
            raise _Broken(
                self._vouched + 1, f"the {name} at entry {mark.head.seq} has another hash"
            )
        purpose, after = (SEAL, self._after) if name == "seal" else (CHECKPOINT, 0)
        part = signed_part(purpose, mark.head, mark.at, after)
        if not self._signed(mark.key_id, part, mark.signature):
            raise _Broken(
                self._vouched + 1, f"the {name} at entry {self._seq} is not signed by the key"
            )
        self._vouched = self._seq
        if name == "seal":
            self.sealed_at = mark.at


def _checkpoint(told: Mapping[str, Any]) -> Checkpoint:
    seq = told.get("seq")
    head = Head(
        TenantId(str(told.get("tenant"))),
        seq if isinstance(seq, int) else -1,
        _bytes(told.get("hash")),
    )
    return Checkpoint(
        head, str(told.get("at")), str(told.get("key_id")), _bytes(told.get("signature"))
    )


def _bytes(hexadecimal: object) -> bytes:
    """What hexadecimal text stands for; nothing, where it is not such a text."""
    try:
        return bytes.fromhex(str(hexadecimal))
    except ValueError:
        return b""


def _parsed(line: bytes) -> Mapping[str, Any]:
    """The members of a line; none, where it is no JSON object."""
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _framed(*parts: bytes) -> bytes:
    return b"".join(_LENGTH(len(part)) + part for part in parts)
