"""Bytes in a bucket under the hash of themselves; nothing there is ever written over.

Each time that bytes are put they get an object of their own, `<folder>/<hash>/<id>`, and those of
before go. So a sweep takes the objects that it saw, by their names, and never what somebody put
after it looked; the last object of a hash is what is read. Bytes that lie there for a short while
only, far shorter than a sweep's grace, are not put again.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar

import obstore
from obstore.exceptions import BaseError

from perdure.adapters.disk.content import HASH, PIECE_BYTES, ContentFolder
from perdure.adapters.disk.receiving import Receiving
from perdure.clock import SystemClock
from perdure.errors import StoreFailed
from perdure.ids import new_id

T = TypeVar("T")
FRESH: Final = timedelta(minutes=10)  # for which what lies there is as good as put now
LISTED: Final = 1_000  # objects in one answer
CHECKED_MAX: Final = 4_096  # hashes remembered as found right
LOOKS: Final = 3  # at what is put again while it is read

Object = dict[str, Any]  # as the library tells of one: its path, times and size


class ContentBucket:
    """Content of one plane, below a prefix. What comes in piece by piece waits on the disk until it is whole."""

    def __init__(self, store: Any, prefix: str, parts: Path) -> None:
        """Keep everything below `prefix`, which ends in `/`; parts wait in a folder of the disk."""
        self._store, self._prefix, self._parts = store, prefix, parts
        self._disk = ContentFolder(parts)
        self._checked: dict[str, tuple[Any, ...]] = {}

    def put(self, content: bytes) -> str:
        """Keep bytes; their sha256, once the bucket has them."""
        digest = sha256(content).hexdigest()
        self._lay(digest, content)
        return digest

    def receive(self) -> Receiving:
        """Take bytes in piece by piece. Raises `StoreFailed`."""
        return self._disk.receive()

    def keep(self, received: Receiving) -> str:
        """Keep what was received; its sha256, once the bucket has it."""
        whole = self._parts / f".{new_id()}"
        try:
            received.keep(whole)
            self._lay(received.digest, whole)
        except OSError as failed:
            raise StoreFailed(f"the disk did not keep an artifact: {failed.strerror}") from failed
        finally:
            whole.unlink(missing_ok=True)
        return received.digest

    def _lay(self, digest: str, content: bytes | Path) -> None:
        with _telling("did not keep an artifact"):
            lying, now = self._lying(digest), SystemClock().now()
            if any(now - it["last_modified"] < FRESH for it in lying):
                return
            obstore.put(self._store, f"{self._place(digest)}/{new_id()}", content)
            _delete(self._store, lying)

    def has(self, digest: str) -> bool:
        """Whether there are bytes of this hash; a text that is no hash has none."""
        if HASH.fullmatch(digest) is None:
            return False
        with _telling(f"cannot be asked for the content {digest}"):
            return bool(self._lying(digest))

    def get(self, digest: str) -> bytes:
        """The bytes of a hash. Raises `StoreFailed` where they are gone or are not what they were."""
        content = self._asked(
            digest, lambda it: obstore.get(self._store, it["path"]).bytes().to_bytes()
        )
        if sha256(content).hexdigest() != digest:
            raise StoreFailed(f"the content {digest} is not what was written")
        return content

    def check(self, digest: str) -> None:
        """Hash the bytes again, unless their object is the one that was last found right."""

        def hashed(it: Object) -> tuple[str | None, tuple[Any, ...]]:
            stamp = (it["path"], it["e_tag"], it["last_modified"], it["size"])
            if self._checked.get(digest) == stamp:
                return digest, stamp
            found = sha256()
            for piece in obstore.get(self._store, it["path"]).stream(min_chunk_size=PIECE_BYTES):
                found.update(piece)
            return found.hexdigest(), stamp

        found, stamp = self._asked(digest, hashed)
        if found != digest:
            raise StoreFailed(f"the content {digest} is not what was written")
        if len(self._checked) >= CHECKED_MAX:
            self._checked.clear()
        self._checked[digest] = stamp

    def unchanged(self, _digest: str) -> bool:
        """Nobody knows without asking the bucket."""
        return False

    def pieces(self, digest: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` to before `end` in pieces, unchecked: `check` them first."""
        if end is not None and end <= start:
            return
        part: Any = {"offset": start} if end is None else (start, end)
        options: Any = {"range": part} if start or end is not None else {}
        answer = self._asked(
            digest, lambda it: obstore.get(self._store, it["path"], options=options)
        )
        with _telling(f"broke off in the content {digest}"):
            for piece in answer.stream(min_chunk_size=PIECE_BYTES):
                yield bytes(piece)

    def _asked(self, digest: str, ask: Callable[[Object], T]) -> T:
        """What the last object of a hash answers; whoever puts the same bytes takes it away meanwhile."""
        with _telling(f"cannot read the content {digest}"):
            for _ in range(LOOKS):
                lying = self._lying(digest)
                if not lying:
                    break
                try:
                    return ask(max(lying, key=lambda it: str(it["path"])))
                except FileNotFoundError:  # as the library tells of an object that is gone
                    continue
        raise StoreFailed(f"the content {digest} cannot be read: the bucket does not have it")

    # --- sweeping ------------------------------------------------------------------------------

    def old(self, before: float) -> Iterator[list[str]]:
        """Hashes of which something was last put before a time, as many as one answer tells."""
        for _ in self._disk.old(before):  # what broke off on the disk
            pass
        with _telling("cannot be listed"):
            for some in obstore.list(self._store, self._prefix, chunk_size=LISTED):
                aged = (it for it in some if it["last_modified"].timestamp() < before)
                hashes = dict.fromkeys(it["path"].split("/")[-2] for it in aged)
                yield [it for it in hashes if HASH.fullmatch(it)]

    def remove(self, digests: Collection[str], before: float) -> tuple[int, int]:
        """Take objects away that were put before a time; how many, and how many bytes."""
        files = size = 0
        with _telling("cannot be swept"):
            for digest in digests:
                aged = [
                    it for it in self._lying(digest) if it["last_modified"].timestamp() < before
                ]
                _delete(self._store, aged)
                files, size = files + len(aged), size + sum(it["size"] for it in aged)
        return files, size

    def sweep_due(self) -> float | None:
        """When the next sweep was planned for from this host; zero if none was."""
        return self._disk.sweep_due() or 0.0

    def plan_sweep(self, at: float) -> None:
        """Plan the next sweep from this host."""
        self._parts.mkdir(parents=True, exist_ok=True)
        self._disk.plan_sweep(at)

    def _place(self, digest: str) -> str:
        return f"{self._prefix}{digest[:2]}/{digest}"

    def _lying(self, digest: str) -> list[Object]:
        found: list[Object] = []
        for some in obstore.list(self._store, self._place(digest), chunk_size=LISTED):
            found += [dict(it) for it in some]
        return found


def erase(store: Any, prefix: str) -> None:
    """Take away everything below a prefix. Twice is as good as once. Raises `StoreFailed`."""
    with _telling("did not take the data away"):
        for some in obstore.list(store, prefix, chunk_size=LISTED):
            _delete(store, some)


def _delete(store: Any, objects: Iterable[Any]) -> None:
    if paths := [it["path"] for it in objects]:
        obstore.delete(store, paths)


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Tell of a bucket that fails in the words of the stores."""
    try:
        yield
    except (BaseError, OSError) as failed:
        raise StoreFailed(f"the bucket {what}: {str(failed).splitlines()[0][:200]}") from failed
