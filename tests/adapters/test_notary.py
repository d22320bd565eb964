"""The key of the audit: made once, for its owner alone, and found again."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stat import S_IMODE

import pytest

from perdure.adapters.notary import Ed25519Notary, PublicKeys, open_notary
from perdure.errors import Invalid, Unavailable


def test_a_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "audit"
    first = open_notary(path)
    assert open_notary(path).public_pem == first.public_pem
    assert S_IMODE(path.stat().st_mode) == 0o600
    assert S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [it.name for it in path.parent.iterdir()] == ["audit"]


def test_many_that_begin_at_once_have_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        keys = threads.map(lambda _: open_notary(tmp_path / "audit").key_id, range(8))
    assert len(set(keys)) == 1


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"short")
    with pytest.raises(Unavailable):
        open_notary(tmp_path / "short")
    with pytest.raises(Unavailable):
        open_notary(tmp_path)


def test_only_the_key_that_signed_vouches() -> None:
    ours, other = Ed25519Notary(bytes(32)), Ed25519Notary(bytes(31) + b"1")
    keys = PublicKeys([ours.public_pem.encode()])
    assert keys.signed(ours.key_id, b"part", ours.sign(b"part"))
    assert not keys.signed(ours.key_id, b"part", other.sign(b"part"))
    assert not keys.signed(ours.key_id, b"other", ours.sign(b"part"))
    assert not keys.signed(other.key_id, b"part", other.sign(b"part"))
    assert not keys.signed(ours.key_id, b"part", b"")


@pytest.mark.parametrize(
    "pem", [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
)
def test_what_is_no_public_key_is_refused(pem: bytes) -> None:
    with pytest.raises(Invalid):
        PublicKeys([pem])


def test_a_key_of_another_kind_is_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = generate_private_key(SECP256R1()).public_key()
    with pytest.raises(Invalid):
        PublicKeys([public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)])
