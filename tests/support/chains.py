"""An audit chain as an export has it, and a notary of a test."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from perdure.adapters.notary import Ed25519Notary, PublicKeys
from perdure.identity.audit import (
    GENESIS,
    Entry,
    Head,
    hash_of,
    line_of,
    opening_line,
    signature_line,
)
from perdure.ids import TenantId
from perdure.stores.audit import body_of
from perdure.stores.notary import checkpoint_of, seal_of

TENANT = TenantId("acme")
AT = "2026-01-01T00:00:00.000000+00:00"
NOTARY = Ed25519Notary(bytes(range(32)))
KEYS = PublicKeys([NOTARY.public_pem.encode()])


def an_entry(n: int = 0, **changes: object) -> Entry:
    """An entry that tells of its number."""
    entry = Entry(
        TENANT, f"user-{n % 7}", "run:start", "run", AT, target=f"run-{n}", request_id=f"r{n}"
    )
    return entry._replace(**changes)  # type: ignore[arg-type]  # the fields of an entry


def an_export(
    entries: Sequence[Entry], *, every: int = 0, after: int = 0, previous: bytes = GENESIS
) -> list[bytes]:
    """The lines of an export, with a checkpoint after every so many entries."""
    lines, seq = [opening_line(TENANT, after, previous)], after
    for seq, entry in enumerate(entries, start=after + 1):
        body = body_of(entry)
        digest = hash_of(previous, TENANT, seq, body)
        lines.append(line_of(seq, previous, body, digest))
        previous = digest
        if every and seq % every == 0:
            lines.append(
                signature_line("checkpoint", checkpoint_of(NOTARY, Head(TENANT, seq, digest), AT))
            )
    seal = seal_of(NOTARY, Head(TENANT, seq, previous), AT, after)
    return [*lines, signature_line("seal", seal)]


Harm = Callable[[list[bytes], int], list[bytes]]


def flipped(lines: list[bytes], at: int) -> list[bytes]:
    """Another actor in one entry."""
    return [*lines[:at], lines[at].replace(b"user-", b"User-", 1), *lines[at + 1 :]]


def deleted(lines: list[bytes], at: int) -> list[bytes]:
    """Without one entry."""
    return lines[:at] + lines[at + 1 :]


def inserted(lines: list[bytes], at: int) -> list[bytes]:
    """With an entry once more, in the place of another."""
    return [*lines[:at], lines[at - 1], *lines[at:]]


def reordered(lines: list[bytes], at: int) -> list[bytes]:
    """With two entries in each other's place."""
    return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


def cut(lines: list[bytes], at: int) -> list[bytes]:
    """Without the entries from one on; the seal is there."""
    return [*lines[:at], lines[-1]]


def torn(lines: list[bytes], at: int) -> list[bytes]:
    """As a file that was cut in the middle of a line."""
    return [*lines[:at], lines[at][:40]]


def unsealed(lines: list[bytes], at: int) -> list[bytes]:
    """Without the entries from one on, nor the seal."""
    return lines[:at]


def emptied(lines: list[bytes], at: int) -> list[bytes]:
    """With something else in the place of an entry."""
    return [*lines[:at], b'{"nothing": 1}', *lines[at + 1 :]]


HARMS: Final[Mapping[str, Harm]] = {
    "flipped": flipped, "deleted": deleted, "inserted": inserted, "reordered": reordered, "cut": cut,
    "torn": torn, "unsealed": unsealed, "emptied": emptied,
}  # fmt: skip
