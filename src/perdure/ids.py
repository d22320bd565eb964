"""The kinds of ids, and the only maker of new ones."""

import re
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final, NewType

from uuid_utils import uuid7

RunId = NewType("RunId", str)
StepId = NewType("StepId", str)
Key = NewType("Key", str)  # of an effect or a wait, unique within its run
SessionId = NewType("SessionId", str)
CommandId = NewType("CommandId", str)
ArtifactId = NewType("ArtifactId", str)
BundleSha = NewType("BundleSha", str)  # sha256 of a bundle's bytes, hex
TenantId = NewType("TenantId", str)
UserId = NewType("UserId", str)
RuntimeId = NewType("RuntimeId", str)
TokenId = NewType("TokenId", str)  # the part of a token that is no secret

TOKEN_ID_BYTES: Final = 12  # 16 letters
SECRET_BYTES: Final = 32  # 43 letters
_SHAPE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def new_id() -> str:
    """A new id, unique and ordered by its time of making (RFC 9562, version 7)."""
    return str(uuid7())


def new_token_id() -> TokenId:
    """A new id for a token, in 16 letters that a URL takes; it tells nothing and orders nothing."""
    return TokenId(token_urlsafe(TOKEN_ID_BYTES))


def new_secret() -> str:
    """A new secret of 256 bits, in 43 letters that a URL takes."""
    return token_urlsafe(SECRET_BYTES)


def is_run_id(text: object) -> bool:
    """Whether a value has the shape of the ids that are made here, and so is safe in a path."""
    return isinstance(text, str) and _SHAPE.fullmatch(text) is not None


def derived_id(*parts: str) -> str:
    """The id that follows from `parts`: the same parts, the same id, shaped as a UUID."""
    digest = sha256("\x1f".join(parts).encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def step_id_of(run: RunId, seq: int) -> StepId:
    """The id of what record `seq` of a run begins: the run's own, its first part being the number."""
    return StepId(f"{seq:08x}{run[8:]}")
