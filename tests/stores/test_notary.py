"""What a notary says holds for what it was said of, and for nothing else."""

from perdure.identity.audit import CHECKPOINT, SEAL, Head, signed_part
from perdure.stores.notary import checkpoint_of, seal_of
from tests.support.chains import AT, KEYS, NOTARY, TENANT

HEAD = Head(TENANT, 7, bytes(range(32)))


def test_a_checkpoint_is_of_one_head_at_one_time() -> None:
    mark = checkpoint_of(NOTARY, HEAD, AT)
    assert (mark.head, mark.at, mark.key_id) == (HEAD, AT, NOTARY.key_id)
    assert KEYS.signed(mark.key_id, signed_part(CHECKPOINT, HEAD, AT), mark.signature)
    for head, at in (
        (HEAD._replace(seq=8), AT),
        (HEAD._replace(hash=bytes(32)), AT),
        (HEAD, "later"),
    ):
        assert not KEYS.signed(mark.key_id, signed_part(CHECKPOINT, head, at), mark.signature)


def test_a_seal_is_no_checkpoint_and_is_of_one_beginning() -> None:
    seal = seal_of(NOTARY, HEAD, AT, after=3)
    assert KEYS.signed(seal.key_id, signed_part(SEAL, HEAD, AT, 3), seal.signature)
    assert not KEYS.signed(seal.key_id, signed_part(SEAL, HEAD, AT, 2), seal.signature)
    assert not KEYS.signed(seal.key_id, signed_part(CHECKPOINT, HEAD, AT, 3), seal.signature)
