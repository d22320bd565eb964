"""What the stores need of bytes by hash, wherever they lie. Everything here may wait, and is called on a thread."""

from collections.abc import Collection, Iterator
from typing import Protocol

from perdure.adapters.disk.receiving import Receiving


class Content(Protocol):
    """Bytes under the hash of themselves: whole or not at all, checked when read."""

    def put(self, content: bytes) -> str:
        """Keep bytes; their sha256, once they are there for good. Raises `StoreFailed`."""
        ...

    def receive(self) -> Receiving:
        """Take bytes in piece by piece. Raises `StoreFailed`."""
        ...

    def keep(self, received: Receiving) -> str:
        """Keep what was received; its sha256, once it is there for good. Raises `StoreFailed`."""
        ...

    def has(self, digest: str) -> bool:
        """Whether there are bytes of this hash; a text that is no hash has none."""
        ...

    def get(self, digest: str) -> bytes:
        """The bytes of a hash. Raises `StoreFailed` where they are gone or are not what they were."""
        ...

    def check(self, digest: str) -> None:
        """Hash the bytes again, unless they are known to be those that were last found right. Raises `StoreFailed`."""
        ...

    def unchanged(self, digest: str) -> bool:
        """Whether they are known to be, at once and without waiting; `False` asks for a `check`."""
        ...

    def pieces(self, digest: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` to before `end` in pieces, unchecked: `check` them first."""
        ...

    def old(self, before: float) -> Iterator[list[str]]:
        """Hashes whose bytes were last put before a time, in lists of a bounded length or folder."""
        ...

    def remove(self, digests: Collection[str], before: float) -> tuple[int, int]:
        """Take bytes away, unless somebody has put them again meanwhile; how many files and bytes."""
        ...

    def sweep_due(self) -> float | None:
        """When the next sweep was planned for; zero if none was, and `None` where nothing was ever put."""
        ...

    def plan_sweep(self, at: float) -> None:
        """Plan the next sweep."""
        ...
