"""A chain is checked from an export and a public key, and the first entry that is not as written is named."""

from hashlib import sha256

import pytest

from perdure.adapters.notary import Ed25519Notary, PublicKeys
from perdure.identity.audit import GENESIS, Entry, Head, Verdict, covering, hash_of, verify
from perdure.ids import TenantId
from perdure.stores.audit import body_of, fields_of
from tests.support.chains import HARMS, KEYS, TENANT, an_entry, an_export

COUNT, LONG = 1_000, 100_000


def verdict_of(lines: list[bytes], keys: PublicKeys = KEYS) -> Verdict:
    """What is found of an export."""
    return verify(lines, keys.signed)


def test_a_chain_that_nobody_touched_is_as_written() -> None:
    entries = [an_entry(n) for n in range(COUNT)]
    for lines in (an_export(entries), an_export(entries, every=100), an_export([])):
        found = verdict_of(lines)
        assert (found.ok, found.bad_seq, found.tenant) == (True, None, "acme")
        assert found.sealed_at is not None
    assert verdict_of(an_export(entries)).records == COUNT


def test_an_export_may_begin_where_another_ended() -> None:
    entries = [an_entry(n) for n in range(20)]
    whole = an_export(entries, every=5)
    hashes = [line.rpartition(b'"hash":"')[2][:64] for line in whole if b'"actor"' in line]
    rest = an_export(entries[7:], every=5, after=7, previous=bytes.fromhex(hashes[6].decode()))
    assert verdict_of(rest).ok
    assert verdict_of([whole[0], *rest[1:]]).bad_seq == 1


@pytest.mark.parametrize("harm", HARMS)
def test_the_first_entry_that_is_not_as_written_is_named(harm: str) -> None:
    lines = HARMS[harm](an_export([an_entry(n) for n in range(COUNT)]), 500)
    found = verdict_of(lines)
    assert (found.ok, found.bad_seq, found.records) == (False, 500, 499), found.why


@pytest.mark.soak
def test_harm_is_located_in_a_long_chain_wherever_it_is() -> None:
    honest = an_export([an_entry(n) for n in range(LONG)])
    for at in (2, LONG // 2, LONG - 2):
        for harm, change in HARMS.items():
            lines = change(honest, at)
            found = verdict_of(lines)
            assert (found.ok, found.bad_seq) == (False, at), (harm, found.why)


def test_a_chain_that_was_hashed_anew_disagrees_with_a_checkpoint() -> None:
    entries = [an_entry(n) for n in range(COUNT)]
    honest = an_export(entries, every=100)
    marks = [line for line in honest if line.startswith(b'{"checkpoint"')]
    entries[449] = an_entry(449, actor="somebody else")
    forged = [it for it in an_export(entries, every=100) if not it.startswith(b'{"checkpoint"')]
    for place, mark in enumerate(marks, start=1):
        forged.insert(place * 101, mark)
    found = verdict_of(forged)
    assert (found.ok, found.bad_seq) == (
        False,
        401,
    )  # after the last one that a checkpoint vouches for
    assert found.why is not None
    assert "checkpoint at entry 500" in found.why


def test_what_another_key_signed_vouches_for_nothing() -> None:
    other = PublicKeys([Ed25519Notary(bytes(32)).public_pem.encode()])
    assert verdict_of(an_export([an_entry()]), other).bad_seq == 1


def test_a_seal_holds_for_its_own_export_alone() -> None:
    entries = [an_entry(n) for n in range(9)]
    short, whole = an_export(entries[:4]), an_export(entries)
    assert verdict_of([*short[:-1], whole[-1]]).bad_seq == 5
    assert verdict_of([*whole[:-1], short[-1]]).ok is False
    assert verdict_of([*whole, whole[-1]]).why == "something follows the seal"


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[1]", b'{"export":"perdure.audit.1","after":-1}', b"\xff"]
)
def test_what_is_no_export_is_told_so(line: bytes) -> None:
    assert verdict_of([line] if line else []).ok is False


def test_a_chain_begins_at_the_beginning() -> None:
    lines = an_export([an_entry()], previous=sha256(b"elsewhere").digest())
    assert verdict_of(lines).why == "the chain does not begin where chains begin"


def test_parts_of_what_is_hashed_cannot_pass_for_one_another() -> None:
    hashes = {
        hash_of(GENESIS, "ab", 1, b"c"), hash_of(GENESIS, "a", 1, b"bc"), hash_of(GENESIS, "ab", 2, b"c"),
        hash_of(bytes([1]) * 32, "ab", 1, b"c"),
    }  # fmt: skip
    assert len(hashes) == 4


def test_an_entry_concerns_whoever_did_it_unless_it_says_another() -> None:
    own = Entry(TENANT, "alice", "run:start", "run")
    assert fields_of(body_of(own))["subject"] == "alice"
    assert fields_of(body_of(own._replace(subject="bob")))["subject"] == "bob"


def test_heads_that_have_moved_since_their_checkpoint_need_another() -> None:
    heads = [Head(TenantId(name), seq, GENESIS) for name, seq in (("a", 4), ("b", 9), ("c", 0))]
    assert [it.tenant for it in covering(heads, {TenantId("a"): 4, TenantId("b"): 8})] == ["b"]
