"""The zip container: its directory checked before any byte is inflated, its members as they are.

`zipfile` is not used. It reads a directory of any length into memory, lets members overlap,
cuts names at a NUL and follows sizes that a header claims. Only what a bundle needs is read
here: one disk, no zip64, members stored or deflated (PKWARE APPNOTE 6.3 §4.3).
"""

import stat
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from struct import Struct
from typing import NamedTuple

from perdure.bundles.limits import DEFAULT_LIMITS, KIB, BundleLimits
from perdure.bundles.paths import fault_of, key_of, quoted
from perdure.errors import BundleRefused

LOCAL = Struct("<4s5H3L2H")
CENTRAL = Struct("<4s6H3L5H2L")
END = Struct("<4s4H2LH")
LOCAL_SIGN, CENTRAL_SIGN, END_SIGN = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
COMMENT_BYTES_MAX = 0xFFFF
LONG_MAX, SHORT_MAX = 0xFFFFFFFF, 0xFFFF  # where zip64 would say more
STORED, DEFLATED = 0, 8
ENCRYPTED_FLAGS = 0x0001 | 0x0040 | 0x2000
PATCH_FLAG = 0x0020
UTF8_FLAG = 0x0800
TOLD_FLAGS = ENCRYPTED_FLAGS | PATCH_FLAG | UTF8_FLAG  # a member's two headers agree on these
REPARSE_POINT = 0x0400  # how Windows marks a link
CHUNK = 64 * KIB

# What is written here names no clock, no machine and no user.
DATE = (1 << 5) | 1  # 1980-01-01, the first day that the format knows
PLAIN_FILE = (stat.S_IFREG | 0o644) << 16
UNIX = 3 << 8
VERSION = 20


class _Local(NamedTuple):
    sign: bytes
    needs: int
    flags: int
    method: int
    time: int
    date: int
    crc: int
    packed: int
    size: int
    name_bytes: int
    extra_bytes: int


class _Central(NamedTuple):
    sign: bytes
    made_by: int
    needs: int
    flags: int
    method: int
    time: int
    date: int
    crc: int
    packed: int
    size: int
    name_bytes: int
    extra_bytes: int
    comment_bytes: int
    disk: int
    inner: int
    outer: int
    offset: int


class _End(NamedTuple):
    sign: bytes
    disk: int
    first_disk: int
    here: int
    entries: int
    length: int
    offset: int
    comment_bytes: int


class _Member(NamedTuple):
    """One entry of the directory. `size` and `crc` are claims, compared after inflating."""

    name: str
    folder: bool
    deflated: bool
    crc: int
    size: int
    offset: int
    start: int
    end: int


class Archive:
    """A zip whose directory has been checked; its members are inflated one by one, on demand."""

    def __init__(self, raw: bytes, limits: BundleLimits = DEFAULT_LIMITS) -> None:
        """Check the directory of `raw`. Raises `BundleRefused` with the reason."""
        members = _members(raw, limits)
        self._raw = raw
        self._limits = limits
        self._inflated = 0
        self._files = {member.name: member for member in members if not member.folder}

    @property
    def names(self) -> Collection[str]:
        """The names of the files, in the order of the directory."""
        return self._files.keys()

    def read(self, name: str) -> bytes:
        """Inflate one file within the limits, and compare it with what the directory claims."""
        return b"".join(self._pieces(self._files[name]))

    def check(self, name: str) -> None:
        """Inflate one file as `read` does, and keep nothing of it."""
        for _ in self._pieces(self._files[name]):
            pass

    def _pieces(self, member: _Member) -> Iterator[bytes]:
        unpack = _inflated if member.deflated else _slices
        size = crc = 0
        for piece in unpack(self._raw, member):
            size += len(piece)
            crc = zlib.crc32(piece, crc)
            self._inflated += len(piece)
            self._check_budget(member, size)
            yield piece
        if size != member.size:
            raise _refused("size_mismatch", member.name, "is not as long as it claims")
        if crc != member.crc:
            raise _refused("bad_checksum", member.name, "does not match its checksum")

    def _check_budget(self, member: _Member, size: int) -> None:
        limits, packed = self._limits, member.end - member.start
        if size > limits.ratio_from_bytes and size > limits.ratio_max * packed:
            raise _refused("ratio_too_high", member.name, "inflates too far beyond its packed size")
        if size > limits.member_bytes_max:
            raise _refused("member_too_large", member.name, "is too large")
        if self._inflated > limits.total_bytes_max:
            raise _refused("total_too_large", member.name, "makes the whole too large")


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """Write `files` as a zip. The same files give the same bytes, on every machine.

    Members are sorted, dated 1980 and stored: deflated bytes differ from one zlib to the next,
    and a bundle is known by the hash of its bytes.
    """
    body, directory = bytearray(), bytearray()
    for name in sorted(files):
        raw, label = files[name], name.encode()
        flags = 0 if name.isascii() else UTF8_FLAG
        shared = (VERSION, flags, STORED, 0, DATE, zlib.crc32(raw), len(raw), len(raw), len(label))
        rest = (0, 0, 0, 0, PLAIN_FILE, len(body))
        directory += CENTRAL.pack(CENTRAL_SIGN, UNIX | VERSION, *shared, *rest) + label
        body += LOCAL.pack(LOCAL_SIGN, *shared, 0) + label + raw
    end = END.pack(END_SIGN, 0, 0, len(files), len(files), len(directory), len(body), 0)
    return bytes(body + directory + end)


def _members(raw: bytes, limits: BundleLimits) -> list[_Member]:
    """Read the directory, with all that can be said against it before inflating."""
    found = raw.rfind(END_SIGN, max(0, len(raw) - END.size - COMMENT_BYTES_MAX))
    if found < 0 or found + END.size > len(raw):
        raise BundleRefused("This is not a zip archive.", reason="not_a_zip")
    end = _End(*END.unpack_from(raw, found))
    if SHORT_MAX in (end.here, end.entries) or LONG_MAX in (end.length, end.offset):
        raise BundleRefused("Zip64 archives are not taken.", reason="unsupported_zip64")
    whole = end.disk == end.first_disk == 0 and end.here == end.entries
    if not whole or found + END.size + end.comment_bytes != len(raw):
        raise _damaged("its end record does not fit it")
    if end.offset + end.length != found:
        raise _damaged("its directory is not where it claims to be")
    if end.entries > limits.members_max:
        raise BundleRefused("The archive has too many members.", reason="too_many_members")
    members = list(_directory(raw, end, limits))
    _check_collisions(members)
    _check_overlaps(members, end.offset)
    return members


def _directory(raw: bytes, end: _End, limits: BundleLimits) -> Iterator[_Member]:
    at, edge = end.offset, end.offset + end.length
    for _ in range(end.entries):
        if at + CENTRAL.size > edge or raw[at : at + 4] != CENTRAL_SIGN:
            raise _damaged("its directory is cut short")
        entry = _Central(*CENTRAL.unpack_from(raw, at))
        label = raw[at + CENTRAL.size : at + CENTRAL.size + entry.name_bytes]
        at += CENTRAL.size + entry.name_bytes + entry.extra_bytes + entry.comment_bytes
        name = _name(label, entry.flags, limits)
        _check_kind(name, entry)
        yield _member(raw, name, label, entry)
    if at != edge:
        raise _damaged("its directory is longer or shorter than it claims")


def _name(label: bytes, flags: int, limits: BundleLimits) -> str:
    """Decode a member's name. Without the flag only ASCII means the same to every reader."""
    if len(label) > limits.name_bytes_max:
        raise BundleRefused("A member's name is too long.", reason="name_too_long")
    try:
        name = label.decode("utf-8" if flags & UTF8_FLAG else "ascii")
    except UnicodeDecodeError:
        raise BundleRefused("A member's name is not UTF-8.", reason="bad_name") from None
    if fault := fault_of(name.removesuffix("/")):
        raise _refused(fault, name, "has an unsafe name")
    return name


def _check_kind(name: str, entry: _Central) -> None:
    """Take plain files and empty folders, stored or deflated, and nothing else."""
    mode = entry.outer >> 16  # some systems leave it 0
    kinds = (0, stat.S_IFDIR) if name.endswith("/") else (0, stat.S_IFREG)
    if stat.S_ISLNK(mode) or entry.outer & REPARSE_POINT:
        raise _refused("symlink_member", name, "is a link")
    if stat.S_IFMT(mode) not in kinds or (name.endswith("/") and entry.size):
        raise _refused("special_member", name, "is neither a plain file nor a folder")
    if entry.flags & ENCRYPTED_FLAGS:
        raise _refused("encrypted_member", name, "is encrypted")
    if entry.flags & PATCH_FLAG or entry.method not in (STORED, DEFLATED):
        raise _refused("unsupported_compression", name, "is packed in a way that is not taken")
    if LONG_MAX in (entry.packed, entry.size, entry.offset):
        raise _refused("unsupported_zip64", name, "is described by zip64")
    if entry.disk:
        raise _damaged("a member lies on another disk")


def _member(raw: bytes, name: str, label: bytes, entry: _Central) -> _Member:
    """Find the member's bytes by its own header, which must say the same as the directory."""
    if entry.offset + LOCAL.size > len(raw) or not raw.startswith(LOCAL_SIGN, entry.offset):
        raise _refused("damaged", name, "has no header of its own")
    local = _Local(*LOCAL.unpack_from(raw, entry.offset))
    name_at = entry.offset + LOCAL.size
    start = name_at + local.name_bytes + local.extra_bytes
    same = not (local.flags ^ entry.flags) & TOLD_FLAGS and local.method == entry.method
    if not same or raw[name_at : name_at + local.name_bytes] != label:
        raise _refused("damaged", name, "has a header that says something else")
    return _Member(
        name=name,
        folder=name.endswith("/"),
        deflated=entry.method == DEFLATED,
        crc=entry.crc,
        size=entry.size,
        offset=entry.offset,
        start=start,
        end=start + entry.packed,
    )


def _check_collisions(members: Iterable[_Member]) -> None:
    """Refuse names that some file system takes for one, and a file that is also a folder."""
    files: dict[str, bool] = {}
    for member in members:
        key = key_of(member.name.removesuffix("/"))
        if key in files:
            raise _refused("duplicate_member", member.name, "has the same name as another")
        files[key] = not member.folder
    for key in files:
        above, slash, _ = key.rpartition("/")
        while slash:
            if files.get(above):
                raise _refused("path_conflict", above, "is both a file and a folder")
            above, slash, _ = above.rpartition("/")


def _check_overlaps(members: Iterable[_Member], edge: int) -> None:
    """Refuse members that share bytes: a few packed bytes could count as many members."""
    free = 0
    for member in sorted(members, key=lambda member: member.offset):
        if member.offset < free or member.end > edge:
            raise _refused("overlapping_members", member.name, "shares its bytes with another part")
        free = member.end


def _slices(raw: bytes, member: _Member) -> Iterator[bytes]:
    for at in range(member.start, member.end, CHUNK):
        yield raw[at : min(at + CHUNK, member.end)]


def _inflated(raw: bytes, member: _Member) -> Iterator[bytes]:
    """Inflate in bounded pieces, so that the caller can stop at any of them."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    at, feed = member.start, b""
    while not engine.eof:
        if not feed:
            feed = raw[at : min(at + CHUNK, member.end)]
            at += len(feed)
        ended = not feed
        try:
            piece = engine.decompress(feed, CHUNK)
        except zlib.error:
            raise _refused("damaged", member.name, "cannot be inflated") from None
        if ended and not piece:
            raise _refused("damaged", member.name, "is cut short")
        feed = engine.unconsumed_tail
        yield piece
    if engine.unused_data or feed or at < member.end:
        raise _refused("damaged", member.name, "is followed by bytes that belong to nothing")


def _refused(reason: str, member: str, detail: str) -> BundleRefused:
    return BundleRefused(f"The member {quoted(member)} {detail}.", reason=reason, member=member)


def _damaged(detail: str) -> BundleRefused:
    return BundleRefused(f"The archive is damaged: {detail}.", reason="damaged")
