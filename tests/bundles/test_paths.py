"""A name that is unsafe on any system is unsafe here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.bundles.paths import SHOWN_MAX, fault_of, key_of, quoted

UNSAFE = {
    "": "empty_name",
    "a\x00b": "control_character",
    "a\x7fb": "control_character",
    "a\x9bb": "control_character",
    "a\ud800": "control_character",
    "C:/a": "drive_path",
    "c:a": "drive_path",
    "a:stream": "drive_path",
    "a\\b": "backslash_path",
    "\\a": "backslash_path",
    "/a": "absolute_path",
    "//host/share": "absolute_path",
    "..": "zip_slip",
    "../a": "zip_slip",
    "a/..": "zip_slip",
    ".": "dot_segment",
    "a/./b": "dot_segment",
    "a//b": "empty_segment",
    "a/": "empty_segment",
    "a.": "trailing_dot",
    "a/b /c": "trailing_dot",
    "...": "trailing_dot",
}


@pytest.mark.parametrize("path", UNSAFE, ids=ascii)
def test_an_unsafe_path_has_its_fault_named(path: str) -> None:
    assert fault_of(path) == UNSAFE[path]


@pytest.mark.parametrize(
    "path", ["a", "a/b.json", ".hidden", "a..b/c", "flows/grün ☂.json"], ids=ascii
)
def test_a_plain_relative_path_has_none(path: str) -> None:
    assert fault_of(path) is None


@given(st.text())
def test_a_path_without_fault_stays_inside(path: str) -> None:
    if fault_of(path) is None:
        assert not path.startswith("/")
        assert not set(path) & set("\\:\0\n")
        assert not {"", ".", ".."} & set(path.split("/"))


@pytest.mark.parametrize(
    ("one", "other"),
    [("A/b", "a/B"), ("é", "e\u0301"), ("ﬁ", "fi"), ("straße", "STRASSE"), ("K", "\u212a")],
    ids=["case", "composition", "ligature", "sharp s", "kelvin"],
)
def test_names_that_a_file_system_may_confuse_share_a_key(one: str, other: str) -> None:
    assert key_of(one) == key_of(other)
    assert key_of(one) != key_of(one + "x")


def test_a_foreign_text_is_shown_short_and_harmless() -> None:
    assert quoted("a\x1b[2J\ud800") == "'a\\x1b[2J\\ud800'"
    assert len(quoted("x" * 10_000)) < SHOWN_MAX + 12
    assert quoted(None) == "'None'"
