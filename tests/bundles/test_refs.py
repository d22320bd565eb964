"""Names on the wire are read one way, and a bare id means one version."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.bundles.refs import (
    BundleRef,
    FlowRef,
    bundle_ref,
    is_draft,
    is_id,
    latest,
    parse_flow_ref,
    parse_ref,
    sanitise_id,
    workflow_id,
)
from perdure.errors import Invalid

IDS = ["a", "basic-agent", "0.0.1", "81795ea9", "draft.3f0c", "_x_", "..a", "x" * 128]
NO_IDS = ["", ".", "..", "-", "_.-", "a b", "a/b", "a\\b", "a:b", "a@b", "grün", "a\n", "x" * 129]
OLD, NEW = "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00Z"


@pytest.mark.parametrize("text", IDS)
def test_an_id_is_made_of_plain_letters(text: str) -> None:
    assert is_id(text)
    assert parse_ref(text) == BundleRef(text)
    assert parse_flow_ref(text) == FlowRef(text)


@pytest.mark.parametrize("text", NO_IDS, ids=ascii)
def test_what_is_no_id_names_nothing(text: str) -> None:
    assert not is_id(text)
    for parse, ref in ((parse_flow_ref, f"a:{text}"), (parse_ref, f"a@{text}"), (parse_ref, text)):
        if ref.count("@") == 1 and all(map(is_id, ref.split("@"))):
            continue  # `a@b` is no id, but a reference
        with pytest.raises(Invalid) as refused:
            parse(ref)
        assert refused.value.facts == {"reason": "bad_ref"}


def test_references_are_read_as_they_are_written() -> None:
    assert parse_ref(bundle_ref("basic-agent", "0.0.1")) == ("basic-agent", "0.0.1")
    assert parse_flow_ref("bundle:flow") == FlowRef("flow", "bundle")
    assert parse_flow_ref(workflow_id("b", "1.0", "f")) == FlowRef("f", "b", "1.0")
    assert workflow_id("basic-agent", "0.0.1", "81795ea9") == "basic-agent@0.0.1:81795ea9"


@pytest.mark.parametrize("text", ["a@", "@1", "@", "a@1@2", "a:b:c", ":f", "b:", "@1:f", "b@:f"])
def test_a_broken_reference_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_flow_ref(text) if ":" in text else parse_ref(text)


@pytest.mark.parametrize(
    ("text", "nearest"),
    [("My Flow!", "My-Flow"), ("a/../b", "a-..-b"), ("grün", "gr-n"), ("x" * 200, "x" * 128)],
    ids=["spaces", "path", "umlaut", "long"],
)
def test_the_nearest_id_is_found(text: str, nearest: str) -> None:
    assert sanitise_id(text) == nearest


@pytest.mark.parametrize("text", ["", "..", "☂☂", "- -"], ids=ascii)
def test_of_nothing_no_id_is_made(text: str) -> None:
    with pytest.raises(Invalid):
        sanitise_id(text)


@given(st.text())
def test_what_is_sanitised_is_an_id_and_stays_it(text: str) -> None:
    try:
        nearest = sanitise_id(text)
    except Invalid:
        return
    assert is_id(nearest)
    assert sanitise_id(nearest.strip("-")) == nearest.strip("-")


@pytest.mark.parametrize(
    ("versions", "means"),
    [
        ({}, None),
        ({"draft.1": NEW}, None),
        ({"0.0.9": NEW, "0.0.10": OLD}, "0.0.10"),
        ({"1": NEW, "1.0.1": OLD}, "1.0.1"),
        ({"1.2": OLD, "1.10": OLD, "1.9.9": NEW}, "1.10"),
        ({"0.0.1": OLD, "draft.9": NEW}, "0.0.1"),
        ({"9.0.0": OLD, "dev": NEW}, "dev"),
        ({"9.0.0": NEW, "dev": OLD}, "9.0.0"),
        ({"a": "yesterday", "b": OLD}, "b"),
        ({"a": "2026-01-01T00:00:00", "b": "2025-12-31T23:59:59+00:00"}, "a"),
        ({"a": "2026-01-01T01:00:00+02:00", "b": "2025-12-31T23:30:00+00:00"}, "b"),
        ({"a": "0001-01-01T00:00:00+23:59", "b": "9999-12-31T23:59:59-23:59"}, "b"),
        ({"1.2.3.4": OLD, "1.2.3": NEW}, "1.2.3"),
        ({"1.0": NEW, "1.0.0": OLD}, "1.0.0"),
        ({"a": OLD, "b": OLD}, "b"),
    ],
    ids=lambda it: None,
)
def test_a_bare_id_means_the_highest_number_or_else_the_newest(
    versions: dict[str, str], means: str | None
) -> None:
    for order in permutations(versions.items()):
        assert latest(dict(order)) == means


def test_drafts_count_if_asked_for() -> None:
    assert latest({"1.0.0": OLD, "draft.1": NEW}, drafts=True) == "draft.1"
    assert is_draft("draft.1")
    assert not is_draft("1.0.0")
