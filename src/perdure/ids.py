"""The kinds of ids, and the only maker of new ones."""

from hashlib import sha256
from typing import NewType

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


def new_id() -> str:
    """A new id, unique and ordered by its time of making (RFC 9562, version 7)."""
    return str(uuid7())


def derived_id(*parts: str) -> str:
    """The id that follows from `parts`: the same parts, the same id, shaped as a UUID."""
    digest = sha256("\x1f".join(parts).encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def step_id_of(run: RunId, seq: int) -> StepId:
    """The id of what record `seq` of a run begins: the run's own, its first part being the number."""
    return StepId(f"{seq:08x}{run[8:]}")
