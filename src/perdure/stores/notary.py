"""Who gives the installation's word on an audit chain, by a key that never leaves them."""

from typing import Protocol

from perdure.identity.audit import CHECKPOINT, SEAL, Checkpoint, Head, signed_part


class Notary(Protocol):
    """Signs with one key. Whoever has its public part can check without asking."""

    @property
    def key_id(self) -> str:
        """The name of the key: what its public part hashes to."""
        ...

    @property
    def public_pem(self) -> str:
        """The public part, as tools read it."""
        ...

    def sign(self, part: bytes) -> bytes:
        """A signature of these bytes."""
        ...


def checkpoint_of(notary: Notary, head: Head, at: str) -> Checkpoint:
    """The word that a chain stood so at `at`."""
    signature = notary.sign(signed_part(CHECKPOINT, head, at))
    return Checkpoint(head, at, notary.key_id, signature)


def seal_of(notary: Notary, head: Head, at: str, after: int) -> Checkpoint:
    """The word that an export of what follows entry `after` ends here."""
    return Checkpoint(head, at, notary.key_id, notary.sign(signed_part(SEAL, head, at, after)))
