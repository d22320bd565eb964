"""The key that signs audit chains: Ed25519, in a file of its own beside the data."""

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from perdure.adapters.keyfiles import key_in
from perdure.errors import Invalid

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

KEY_ID_LETTERS: Final = 16


class Ed25519Notary:
    """Signs with the key of one installation."""

    def __init__(self, secret: bytes) -> None:
        """Sign with the key that these 32 bytes are."""
        self._secret = secret
        self._key: Ed25519PrivateKey | None = None
        self._public: bytes | None = None

    def _private(self) -> "Ed25519PrivateKey":
        if self._key is None:
            # Most starts sign nothing at first, and this import takes a while.
            from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

            self._key = ed25519.Ed25519PrivateKey.from_private_bytes(self._secret)
        return self._key

    def _public_bytes(self) -> bytes:
        if self._public is None:
            self._public = self._private().public_key().public_bytes_raw()
        return self._public

    @property
    def key_id(self) -> str:
        """The name of the key: what its public part hashes to."""
        return key_id_of(self._public_bytes())

    @property
    def public_pem(self) -> str:
        """The public part, as tools read it."""
        from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415

        public = self._private().public_key()
        return public.public_bytes(
            form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
        ).decode()

    def sign(self, part: bytes) -> bytes:
        """A signature of these bytes."""
        return self._private().sign(part)


class PublicKeys:
    """The public keys that a check may rely on, by their names."""

    def __init__(self, pems: list[bytes]) -> None:
        """Rely on these. Raises `Invalid` for what is no Ed25519 public key."""
        keys = [_public_of(pem) for pem in pems]
        self._keys = {key_id_of(key.public_bytes_raw()): key for key in keys}

    def signed(self, key_id: str, part: bytes, signature: bytes) -> bool:
        """Whether the key of this name, one of ours, signed these bytes."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415

        key = self._keys.get(key_id)
        if key is None:
            return False
        try:
            key.verify(signature, part)
        except InvalidSignature:
            return False
        return True


def key_id_of(public: bytes) -> str:
    """The name of a public key."""
    return sha256(public).hexdigest()[:KEY_ID_LETTERS]


def open_notary(path: Path) -> Ed25519Notary:
    """The notary whose key is in a file, which is made where it is not there. Raises `Unavailable`."""
    return Ed25519Notary(key_in(path, "the audit"))


def _public_of(pem: bytes) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(pem)
    except ValueError as wrong:
        raise Invalid("This is no public key in PEM form.") from wrong
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise Invalid("This is no Ed25519 public key.")
    return key
