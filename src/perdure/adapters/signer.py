"""`Signer` by itsdangerous: a browser's session value carries a mark that only this installation makes."""

from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from itsdangerous import Signer

SALT: Final = b"perdure.browser-session"


class MarkSigner:
    """Signs with the key of one installation."""

    def __init__(self, key: bytes) -> None:
        """Sign with `key`."""
        self._key = key
        self._signer: Signer | None = None

    def _signing(self) -> "Signer":
        if self._signer is None:
            from itsdangerous import Signer  # noqa: PLC0415 - nobody may ever sign in

            self._signer = Signer(self._key, SALT, key_derivation="hmac", digest_method=sha256)
        return self._signer

    def sign(self, value: str) -> str:
        """The value, with its mark."""
        return self._signing().sign(value).decode()

    def unsign(self, signed: str) -> str | None:
        """The value, or `None` where the mark is not of this installation."""
        from itsdangerous import BadSignature  # noqa: PLC0415 - as above

        try:
            return self._signing().unsign(signed.encode(errors="replace")).decode()
        except (BadSignature, UnicodeDecodeError):
            return None
