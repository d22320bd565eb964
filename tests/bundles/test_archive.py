"""What is no safe zip is refused for its own reason; what is one is read as any reader reads it."""

import zlib
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from zipfile import ZipFile, ZipInfo

import pytest

from perdure.bundles.archive import CHUNK, Archive, write_archive
from perdure.bundles.limits import BundleLimits
from perdure.errors import BundleRefused
from tests.bundles.archives import (
    REGULAR,
    Entry,
    a_zip,
    deflated,
    entries,
    reason_of,
    the_files,
    zipped,
)

HONEST = a_zip(entries())
LINK = 0o120777 << 16


def beside(*members: Entry) -> bytes:
    """An archive of a good bundle with other members beside it."""
    return a_zip([*entries(), *members])


def changed(**fields: object) -> bytes:
    """An archive of a good bundle whose flow's headers lie."""
    manifest, flow = entries()
    return a_zip([manifest, replace(flow, **fields)])  # type: ignore[arg-type] # named per case


def end_at(at: int, raw: bytes) -> bytes:
    """A good archive with other bytes in its end record."""
    start = len(HONEST) - 22 + at
    return HONEST[:start] + raw + HONEST[start + len(raw) :]


HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty": ("not_a_zip", lambda: b""),
    "text": ("not_a_zip", lambda: b"<html>not found</html>" * 10),
    "head only": ("not_a_zip", lambda: HONEST[:100]),
    "end record cut": ("not_a_zip", lambda: HONEST[:-1]),
    "bytes after the end": ("damaged", lambda: HONEST + b"tail"),
    "bytes before the start": ("damaged", lambda: b"#!/bin/sh\n" + HONEST),
    "two archives in one": ("damaged", lambda: HONEST + HONEST),
    "second disk": ("damaged", lambda: end_at(4, b"\1\0")),
    "directory on another disk": ("damaged", lambda: end_at(6, b"\1\0")),
    "counts differ": ("damaged", lambda: end_at(8, b"\1\0")),
    "fewer than there are": ("damaged", lambda: end_at(8, b"\1\0\1\0")),
    "more than there are": ("damaged", lambda: end_at(8, b"\3\0\3\0")),
    "directory elsewhere": ("damaged", lambda: end_at(16, b"\0\0\0\0")),
    "comment that claims more": ("damaged", lambda: end_at(20, b"\5\0")),
    "zip64 count": ("unsupported_zip64", lambda: end_at(8, b"\xff\xff\xff\xff")),
    "zip64 directory": ("unsupported_zip64", lambda: end_at(16, b"\xff\xff\xff\xff")),
    "zip64 size": ("unsupported_zip64", lambda: beside(Entry("big", size=0xFFFFFFFF))),
    "climbs out": ("zip_slip", lambda: beside(Entry("../evil.json"))),
    "climbs out further in": ("zip_slip", lambda: beside(Entry("flows/../../evil"))),
    "climbs out as a folder": ("zip_slip", lambda: beside(Entry("flows/../"))),
    "absolute": ("absolute_path", lambda: beside(Entry("/etc/passwd"))),
    "of a drive": ("drive_path", lambda: beside(Entry("C:/windows/evil"))),
    "relative to a drive": ("drive_path", lambda: beside(Entry("C:evil"))),
    "hidden stream": ("drive_path", lambda: beside(Entry("manifest.json:stream"))),
    "backslashes": ("backslash_path", lambda: beside(Entry("flows\\..\\evil"))),
    "network share": ("backslash_path", lambda: beside(Entry("\\\\host\\share"))),
    "dot segment": ("dot_segment", lambda: beside(Entry("flows/./evil"))),
    "empty segment": ("empty_segment", lambda: beside(Entry("flows//evil"))),
    "dot that Windows drops": ("trailing_dot", lambda: beside(Entry("manifest.json."))),
    "nameless": ("empty_name", lambda: beside(Entry(""))),
    "the root": ("empty_name", lambda: beside(Entry("/"))),
    "NUL in the name": ("control_character", lambda: beside(Entry("flows/a\0.json"))),
    "line end in the name": ("control_character", lambda: beside(Entry("a\nb"))),
    "name that is not UTF-8": ("bad_name", lambda: beside(Entry(b"\xff\xfe", flags=0x800))),
    "name in an unknown code page": ("bad_name", lambda: beside(Entry("grün"))),
    "same name twice": ("duplicate_member", lambda: beside(Entry("manifest.json"))),
    "same name in capitals": ("duplicate_member", lambda: beside(Entry("MANIFEST.JSON"))),
    "same name composed otherwise": (
        "duplicate_member",
        lambda: beside(Entry("é", flags=0x800), Entry("e\u0301", flags=0x800)),
    ),
    "same name in wide letters": (
        "duplicate_member",
        lambda: beside(Entry("ab", flags=0x800), Entry("ａｂ", flags=0x800)),
    ),
    "folder of a file's name": (
        "duplicate_member",
        lambda: beside(Entry("manifest.json/", outer=0)),
    ),
    "file under a file": ("path_conflict", lambda: beside(Entry("manifest.json/a/b"))),
    "link": ("symlink_member", lambda: beside(Entry("flows/x", b"/etc", outer=LINK))),
    "link as a folder": ("symlink_member", lambda: beside(Entry("x/", outer=LINK))),
    "link of Windows": ("symlink_member", lambda: beside(Entry("x", outer=0x400))),
    "pipe": ("special_member", lambda: beside(Entry("x", outer=0o010644 << 16))),
    "device": ("special_member", lambda: beside(Entry("x", outer=0o020644 << 16))),
    "socket": ("special_member", lambda: beside(Entry("x", outer=0o140755 << 16))),
    "file that says it is a folder": (
        "special_member",
        lambda: beside(Entry("x", outer=0o040755 << 16)),
    ),
    "folder with contents": ("special_member", lambda: beside(Entry("x/", b"abc", outer=0))),
    "encrypted": ("encrypted_member", lambda: changed(flags=0x1)),
    "strongly encrypted": ("encrypted_member", lambda: changed(flags=0x41)),
    "hidden headers": ("encrypted_member", lambda: changed(flags=0x2000)),
    "patch": ("unsupported_compression", lambda: changed(flags=0x20)),
    "bzip2": ("unsupported_compression", lambda: changed(method=12)),
    "lzma": ("unsupported_compression", lambda: changed(method=14)),
    "on another disk": ("damaged", lambda: changed(disk=1)),
    "header elsewhere": ("damaged", lambda: changed(offset=7)),
    "header beyond the end": ("damaged", lambda: changed(offset=0x7FFFFFFF)),
    "header of another name": ("damaged", lambda: changed(local_name=b"flows/f2.json")),
    "header that is encrypted": ("damaged", lambda: changed(local_flags=1)),
    "wrong checksum": ("bad_checksum", lambda: changed(crc=1)),
    "size too small": ("size_mismatch", lambda: changed(size=1)),
    "size too large": ("size_mismatch", lambda: changed(size=1_000_000)),
    "cut stream": ("damaged", lambda: changed(packed=deflated(b"x" * 1000)[:5])),
    "empty stream": ("damaged", lambda: changed(packed=b"")),
    "no stream": ("damaged", lambda: changed(packed=b"\xff" * 50)),
    "bytes after the stream": ("damaged", lambda: changed(packed=deflated(b"{}") + b"more")),
    "much after the stream": (
        "damaged",
        lambda: changed(packed=deflated(b"{}").ljust(2 * CHUNK, b"\0")),
    ),
    "stored with another size": ("size_mismatch", lambda: changed(method=0, packed=b"{}")),
    "two names, one member": ("damaged", lambda: two_names()),
    "members in one another": ("overlapping_members", lambda: quilted()),
    "member into the directory": ("overlapping_members", lambda: changed(packed_size=5_000)),
    "bomb": ("ratio_too_high", lambda: beside(Entry("bomb", b"\0" * 4_000_000))),
}


def two_names() -> bytes:
    """Two names in the directory that point at one member."""
    first = Entry("first", b"x", method=0)
    return a_zip([first, Entry("other", b"x", method=0, offset=0), *entries()])


def quilted() -> bytes:
    """A stored member whose bytes are the next member, header and all."""
    inner = Entry("inner", b"x" * 100, method=0)
    outer = Entry("outer", b"", method=0, packed=b"", packed_size=135, size=135)
    return beside(outer, inner)


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_for_its_own_reason(case: str) -> None:
    reason, build = HOSTILE[case]
    assert reason_of(build()) == reason


def test_the_archive_that_the_cases_spoil_is_good() -> None:
    assert set(Archive(HONEST).names) == set(the_files())
    assert set(Archive(zipped(the_files())).names) == set(the_files())


def test_a_refusal_names_the_member() -> None:
    with pytest.raises(BundleRefused) as refused:
        Archive(beside(Entry("x", outer=LINK)))
    assert refused.value.facts == {"reason": "symlink_member", "member": "x"}


def test_folders_comments_gaps_and_stored_members_are_taken() -> None:
    members = [
        Entry("flows/", method=0, outer=0o040755 << 16),
        Entry("other/", outer=0),
        *entries(),
    ]
    members[2].method = 0
    members[3].packed_size = len(members[3].body)
    members[3].packed = members[3].body + b"gap"
    archive = Archive(a_zip(members, comment=b"made by hand"))
    assert {name: archive.read(name) for name in archive.names} == the_files()


def test_a_streamed_zip_with_descriptors_and_large_headers_is_taken() -> None:
    class Pipe(BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise OSError("a pipe does not seek")

        def tell(self) -> int:
            raise OSError("a pipe does not tell")

    pipe = Pipe()
    with ZipFile(pipe, "w") as writer:
        for name, raw in the_files().items():
            with writer.open(ZipInfo(name), "w", force_zip64=True) as member:
                member.write(raw)
    archive = Archive(pipe.getvalue())
    assert {name: archive.read(name) for name in archive.names} == the_files()


def test_contents_are_read_whole_whatever_their_length() -> None:
    incompressible = b"".join(
        zlib.crc32(bytes([i % 251, i % 241])).to_bytes(4) for i in range(70_000)
    )
    for raw in (b"", b"a", incompressible, incompressible[: CHUNK * 2], b"a" * (CHUNK * 3)):
        for method in (0, 8):
            archive = Archive(a_zip([Entry("a", raw, method=method, outer=REGULAR)]))
            assert archive.read("a") == raw


def test_checking_a_member_is_reading_it_without_keeping_it() -> None:
    archive = Archive(a_zip([Entry("a", b"abc"), Entry("b", b"abc", crc=1)]))
    archive.check("a")
    with pytest.raises(BundleRefused):
        archive.check("b")


def test_inflating_stops_at_the_limit_and_not_at_the_end() -> None:
    bomb = a_zip([Entry("bomb", b"\0" * 50_000_000, size=10)])
    archive = Archive(bomb, BundleLimits(member_bytes_max=CHUNK, ratio_max=10_000))
    with pytest.raises(BundleRefused, match="too large"):
        archive.read("bomb")
    assert archive._inflated <= 2 * CHUNK


def test_the_same_files_give_the_same_bytes_in_any_order() -> None:
    files = the_files(assets__b=b"b", assets__a=b"a")
    backwards = dict(reversed(files.items()))
    assert write_archive(files) == write_archive(backwards)


def test_what_is_written_is_read_by_others_and_by_us() -> None:
    files = {**the_files(), "assets/grün ☂.bin": bytes(range(256)), "empty": b""}
    packed = write_archive(files)
    with ZipFile(BytesIO(packed)) as theirs:
        assert theirs.testzip() is None
        assert {name: theirs.read(name) for name in theirs.namelist()} == files
    ours = Archive(packed)
    assert {name: ours.read(name) for name in ours.names} == files
