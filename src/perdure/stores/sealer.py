"""Who keeps secrets closed: what is sealed opens only for the one, at the place, that it was sealed for."""

from typing import NamedTuple, Protocol


class Place(NamedTuple):
    """Where a secret belongs. It is part of the seal: a secret that was moved anywhere else does not open."""

    tenant: str
    runtime: str  # empty for what belongs to the gateway
    id: str
    origin: str  # the scheme, host and port that it may be told to


class Sealed(NamedTuple):
    """A secret that is closed, and the name of the key that opens it."""

    key_id: str
    content: bytes


class SealBroken(Exception):
    """A sealed secret does not open: its key is not here, or it stands where it was not sealed."""


class Sealer(Protocol):
    """Closes secrets by the newest key of a ring, and opens them by any of its keys."""

    @property
    def key_id(self) -> str:
        """The key that closes."""
        ...

    def seal(self, secret: str, place: Place) -> Sealed:
        """Close a secret for a place. Twice is never the same."""
        ...

    def open(self, sealed: Sealed, place: Place) -> str:
        """The secret. Raises `SealBroken`."""
        ...

    def fingerprint(self, secret: str, place: Place) -> str:
        """What tells two secrets of one owner apart, and helps nobody to try secrets out.

        It depends on the key of the ring and on whose the secret is, not on the profile.
        """
        ...
