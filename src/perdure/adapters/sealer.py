"""`Sealer` by AES-256-GCM: every secret has a key of its own, which a key of the ring closes.

The ring is a text: 32 random bytes a line, in base64. The first line closes, every line opens. It
comes from a file, from the environment, or from a command such as one that asks a vault.
"""

import hmac
import os
import re
import shlex
import stat
import subprocess
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Final

from perdure.errors import Invalid, Unavailable
from perdure.ids import new_id
from perdure.stores.sealer import Place, SealBroken, Sealed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORM: Final = b"\x01"  # of what is sealed: form, nonce and closed key, nonce and closed secret
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
KEY_ID_LETTERS: Final = 16
FINGERPRINT_LETTERS: Final = 16
COMMAND_S: Final = 30.0
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_CLOSED_KEY: Final = NONCE_BYTES + KEY_BYTES + TAG_BYTES
_LENGTH: Final = Struct(">I").pack

Ring = Mapping[str, bytes]
"""Keys by their names, the one that closes first."""


class AesSealer:
    """Seals with the keys of a ring, which is read again where a secret names a key that it lacks."""

    def __init__(self, read: Callable[[], Ring]) -> None:
        """Take the ring from `read`. Raises what it raises."""
        self._read = read
        self._ring = read()

    @property
    def key_id(self) -> str:
        """The key that closes."""
        return next(iter(self._ring))

    def seal(self, secret: str, place: Place) -> Sealed:
        """Close a secret for a place."""
        key_id, own = self.key_id, os.urandom(KEY_BYTES)
        bound = _bound(place, key_id)
        closed = _close(self._ring[key_id], own, bound) + _close(own, secret.encode(), bound)
        return Sealed(key_id, FORM + closed)

    def open(self, sealed: Sealed, place: Place) -> str:
        """The secret. Raises `SealBroken`."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        key, content = self._key(sealed.key_id), sealed.content
        if content[:1] != FORM or len(content) < 1 + _CLOSED_KEY + NONCE_BYTES + TAG_BYTES:
            raise SealBroken("a sealed secret has a form that is not known here")
        bound = _bound(place, sealed.key_id)
        try:
            own = _open(key, content[1 : 1 + _CLOSED_KEY], bound)
            return _open(own, content[1 + _CLOSED_KEY :], bound).decode()
        except InvalidTag:
            raise SealBroken(
                "a sealed secret was changed, or stands where it was not sealed"
            ) from None

    def fingerprint(self, secret: str, place: Place) -> str:
        """What tells two secrets of one owner apart."""
        key = hmac.digest(self._ring[self.key_id], b"perdure fingerprint", "sha256")
        told = _framed(place.tenant, place.runtime, secret)
        return hmac.new(key, told, "sha256").hexdigest()[:FINGERPRINT_LETTERS]

    def _key(self, key_id: str) -> bytes:
        if key_id not in self._ring:
            self._ring = self._read()  # another process may have made it
        key = self._ring.get(key_id)
        if key is None:
            raise SealBroken(f"the key {key_id} of a sealed secret is not in the ring")
        return key


def _cipher(key: bytes) -> "AESGCM":
    # Most starts open nothing at first, and this import takes a while.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(key)


def _close(key: bytes, content: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + _cipher(key).encrypt(nonce, content, bound)


def _open(key: bytes, closed: bytes, bound: bytes) -> bytes:
    return _cipher(key).decrypt(closed[:NONCE_BYTES], closed[NONCE_BYTES:], bound)


def _bound(place: Place, key_id: str) -> bytes:
    """What the seal is bound to besides the key."""
    return _framed("perdure secret 1", *place, key_id)


def _framed(*parts: str) -> bytes:
    """Parts one after the other, so that no two lists of parts look alike."""
    return b"".join(_LENGTH(len(part)) + part for part in (it.encode() for it in parts))


# --- rings ---------------------------------------------------------------------------------------


def ring_of(text: str) -> Ring:
    """The keys that a text holds, a line or a comma between them. Raises `Invalid`, which repeats none."""
    keys = [_key_in(part) for part in re.split(r"[\s,]+", text) if part]
    if not keys:
        raise Invalid("the ring of keys is empty")
    return {key_id_of(key): key for key in keys}


def key_id_of(key: bytes) -> str:
    """The name of a key, which tells nothing of it."""
    return sha256(b"perdure key" + key).hexdigest()[:KEY_ID_LETTERS]


def _key_in(text: str) -> bytes:
    try:
        key = b64decode(
            text.translate(str.maketrans("-_", "+/")) + "=" * (-len(text) % 4), validate=True
        )
    except (NotBase64, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise Invalid(f"a key that seals secrets is {KEY_BYTES} random bytes in base64")
    return key


class RingFile:
    """A ring in a file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        """Keep the ring at `path`. Nothing is made yet."""
        self.path = path

    def read(self) -> Ring:
        """The ring, made with one key where there is no file.

        Raises `Invalid` where others may read it too, or it holds no ring; `Unavailable`.
        """
        try:
            if not self.path.exists():
                self._write([os.urandom(KEY_BYTES)], anew=True)
            if self.path.stat().st_mode & OTHERS:
                raise Invalid(f"{self.path} may be read by others: chmod 600 {self.path}")
            return ring_of(self.path.read_text())
        except (OSError, UnicodeDecodeError) as failed:
            raise Unavailable(f"the keys that seal secrets cannot be read: {self.path}") from failed

    def add(self) -> str:
        """Put a new key in front of the others; its name. It is on disk before anything is sealed with it."""
        key = os.urandom(KEY_BYTES)
        self._write([key, *self.read().values()])
        return key_id_of(key)

    def drop_old(self) -> int:
        """Keep the key that closes and no other; how many went."""
        first, *old = self.read().values()
        self._write([first])
        return len(old)

    def _write(self, keys: list[bytes], *, anew: bool = False) -> None:
        """Put a ring in place whole. A new one gives way to what another process made at the same moment."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self.path.with_name(f".{self.path.name}.{new_id()}")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(urlsafe_b64encode(key) + b"\n" for key in keys)
            file.flush()
            os.fsync(file.fileno())
        if anew:
            try:
                os.link(part, self.path)
            except FileExistsError:
                pass
            finally:
                part.unlink()
        else:
            part.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def ring_from_command(command: str) -> Ring:
    """The ring that a command prints. It is run without a shell. Raises `Invalid`, `Unavailable`."""
    try:
        done = subprocess.run(
            shlex.split(command), stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_S,
            check=True, text=True,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.SubprocessError):
        # Not chained: the error holds what the command printed.
        raise Unavailable("the command that prints the keys for secrets failed") from None
    return ring_of(done.stdout)
