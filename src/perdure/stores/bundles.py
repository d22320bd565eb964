"""Installed bundles, by id and version, and their bytes by hash for as long as a run may need them."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from perdure.identity.audit import Entry
from perdure.ids import BundleSha
from perdure.kernel.values import Json

WHOLE: Final = "*"  # stands for every flow of a bundle


class Installed(NamedTuple):
    """A bundle as it is installed. `deprecated`: flow id, or `*`, → when and why."""

    bundle_id: str
    bundle_version: str
    sha256: BundleSha
    size_bytes: int
    created_at: str
    installed_at: str
    manifest: Json
    deprecated: Mapping[str, Json] = {}
    shipped: bool = False


def mark_of(marks: Mapping[str, Json], flow_id: str) -> Json:
    """The mark that deprecates a flow, by itself or with its bundle, or `None`."""
    return marks.get(flow_id) or marks.get(WHOLE)


class Word(NamedTuple):
    """Who is told of marks, and how: runs of a kind of program, pinned to the bundle, that have not ended.

    They are told `{"do": do, "marks": …}`, with all marks of their version.
    """

    kind: str
    do: str
    at: str


class BundleStore(Protocol):
    """Bundles of one runtime."""

    async def install(
        self,
        content: bytes,
        facts: Installed,
        *,
        overwrite: bool = False,
        entry: Entry | None = None,
        word: Word | None = None,
    ) -> tuple[Installed, bool]:
        """Keep a bundle; whether it was new. The same bytes again change nothing.

        What is new has no marks, also where it had some before it was removed; in the same transaction the
        runs that `word` is for hear of that. `entry` goes on to the audit chain if anything changed, here and below.

        Raises `BundleExists` where this version has other bytes and `overwrite` is not set.
        """
        ...

    async def list(self, bundle_id: str | None = None) -> Sequence[Installed]:
        """All installed bundles, or the versions of one, by id and then version."""
        ...

    async def content(self, sha256: BundleSha) -> bytes:
        """The bytes, checked against their hash, also of a bundle that was removed. Raises `BundleNotFound`."""
        ...

    async def check(self, sha256: BundleSha) -> None:
        """Raises `DigestMismatch` where the bytes are gone or are not what was installed."""
        ...

    async def keep(self, content: bytes, sha256: BundleSha) -> None:
        """Keep bytes that a run is about to be pinned to. Twice is as good as once."""
        ...

    async def remove(
        self, bundle_id: str, bundle_version: str | None, *, entry: Entry | None = None
    ) -> int:
        """Take versions off the list; the bytes stay for the runs that are pinned to them. How many."""
        ...

    async def deprecate(
        self, bundle_id: str, flow_id: str, mark: Json | None, word: Word, *, entry: Entry | None = None
    ) -> bool:  # fmt: skip
        """Set (or with `None`, take away) the mark on a flow, or on `*`; whether anything changed.

        In the same transaction the runs that `word` is for hear of the marks of their bundle.
        """
        ...
