"""What is promised of a sealer: what it closes opens for its own place alone, and tells nothing else."""

from base64 import b64encode

import pytest

from perdure.adapters.sealer import AesSealer, ring_of
from perdure.stores.sealer import Place, SealBroken, Sealer

PLACE = Place("acme", "alice", "office", "https://models.example")


def a_sealer(*keys: bytes) -> Sealer:
    """A sealer by these keys, the newest first."""
    text = "\n".join(b64encode(key * 32).decode() for key in keys)
    return AesSealer(lambda: ring_of(text))


def test_what_is_closed_opens_at_its_place_alone() -> None:
    sealer = a_sealer(b"1")
    sealed = sealer.seal("a key", PLACE)
    assert sealer.open(sealed, PLACE) == "a key"
    assert sealed.key_id == sealer.key_id
    for elsewhere in (
        PLACE._replace(runtime="bob"),
        PLACE._replace(origin="https://other.example"),
    ):
        with pytest.raises(SealBroken):
            sealer.open(sealed, elsewhere)


def test_an_older_key_still_opens_and_a_strange_one_does_not() -> None:
    sealed = a_sealer(b"1").seal("a key", PLACE)
    assert a_sealer(b"2", b"1").open(sealed, PLACE) == "a key"
    with pytest.raises(SealBroken):
        a_sealer(b"2").open(sealed, PLACE)


def test_a_fingerprint_is_of_one_secret_and_one_owner() -> None:
    sealer = a_sealer(b"1")
    same = sealer.fingerprint("a key", PLACE)
    assert same == sealer.fingerprint("a key", PLACE._replace(id="home"))
    assert same != sealer.fingerprint("another", PLACE)
    assert same != sealer.fingerprint("a key", PLACE._replace(tenant="beta"))
    assert same != a_sealer(b"2").fingerprint("a key", PLACE)
