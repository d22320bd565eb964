"""Each bound of a bundle, from both sides: what reaches it is read, what is over it is refused."""

from io import BytesIO

import pytest

from perdure.bundles.codec import pack_files, read_bundle
from perdure.bundles.limits import DEFAULT_LIMITS, MIB, BundleLimits
from perdure.errors import BundleRefused
from tests.bundles.archives import Entry, a_zip, entries, reason_of, the_files, zipped

FILES = the_files()
GOOD = zipped(FILES)
DOCUMENTS = sum(map(len, FILES.values()))
A = b"a" * 1000


def deep(levels: int) -> bytes:
    """A bundle whose flow is `levels` deep: the flow itself, and lists in it."""
    nest = "[" * (levels - 1) + "]" * (levels - 1)
    flow = FILES["flows/f1.json"].decode().replace('"name": "f1"', f'"name": {nest}')
    return zipped({**FILES, "flows/f1.json": flow.encode()})


def number(text: str) -> bytes:
    """A bundle with a number in it."""
    return zipped(
        {**FILES, "manifest.json": FILES["manifest.json"][:-1] + b', "n": %s}' % text.encode()}
    )


VALUES = sum(raw.count(mark) for raw in FILES.values() for mark in (b",", b"[", b"{")) + len(FILES)
BOTH_SIDES: dict[str, tuple[str, int, bytes]] = {
    "archive_bytes_max": ("archive_too_large", len(GOOD), GOOD),
    "members_max": ("too_many_members", 3, a_zip([*entries(), Entry("folder/", outer=0)])),
    "name_bytes_max": ("name_too_long", 13, GOOD),
    "member_bytes_max": ("member_too_large", 1000, a_zip([*entries(), Entry("a", A)])),
    "total_bytes_max": (
        "total_too_large",
        DOCUMENTS + 2000,
        a_zip([*entries(), Entry("a", A), Entry("b", A)]),
    ),
    "documents_bytes_max": ("documents_too_large", DOCUMENTS, a_zip([*entries(), Entry("a", A)])),
    "values_max": ("too_many_values", VALUES, GOOD),
    "depth_max": ("too_deep", 20, deep(20)),
    "integer_max": ("big_integer", 1000, number("-1000")),
}


@pytest.mark.parametrize("name", BOTH_SIDES)
def test_a_bundle_may_reach_a_limit_and_not_pass_it(name: str) -> None:
    reason, enough, source = BOTH_SIDES[name]
    assert read_bundle(source, BundleLimits(**{name: enough})).size == len(source)
    assert reason_of(source, BundleLimits(**{name: enough - 1})) == reason


def test_a_high_ratio_is_refused_in_large_members_only() -> None:
    zeros = Entry("zeros", b"\0" * MIB)
    source = a_zip([*entries(), zeros])
    enough = -(-MIB // len(zeros.body))
    for limits in (
        DEFAULT_LIMITS,
        BundleLimits(ratio_from_bytes=MIB),
        BundleLimits(ratio_from_bytes=0, ratio_max=enough),
    ):
        assert read_bundle(source, limits).size == len(source)
    for limits in (
        BundleLimits(ratio_from_bytes=MIB - 1),
        BundleLimits(ratio_from_bytes=0, ratio_max=enough - 1),
    ):
        assert reason_of(source, limits) == "ratio_too_high"


def test_a_stream_is_read_no_further_than_the_limit() -> None:
    class Endless(BytesIO):
        given = 0

        def read(self, size: int | None = -1) -> bytes:
            assert size is not None and size > 0
            self.given += size
            return b"\0" * size

    endless = Endless()
    with pytest.raises(BundleRefused, match=f"larger than {3 * MIB} bytes"):
        read_bundle(endless, BundleLimits(archive_bytes_max=3 * MIB))
    assert endless.given <= 4 * MIB


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("archive_bytes_max", "archive_too_large"),
        ("members_max", "too_many_members"),
        ("name_bytes_max", "name_too_long"),
    ],
)
def test_packing_keeps_the_same_limits(name: str, reason: str) -> None:
    size = {"archive_bytes_max": len(pack_files(FILES)), "members_max": 2, "name_bytes_max": 13}[
        name
    ]
    assert pack_files(FILES, BundleLimits(**{name: size}))
    for less in {1, size - 1}:
        with pytest.raises(BundleRefused) as refused:
            pack_files(FILES, BundleLimits(**{name: less}))
        assert refused.value.facts["reason"] == reason


@pytest.mark.parametrize("name", ["members_max", "name_bytes_max", "archive_bytes_max"])
def test_no_limit_is_larger_than_what_a_zip_can_say(name: str) -> None:
    with pytest.raises(ValueError, match="a zip holds less"):
        BundleLimits(**{name: 0xFFFFFFFF})


def test_the_limits_that_hold_unless_others_are_given() -> None:
    assert BundleLimits() == DEFAULT_LIMITS
    assert DEFAULT_LIMITS.archive_bytes_max == 75 * MIB
