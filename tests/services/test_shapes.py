"""What the file of an import may say: all that a run has, and nothing that a reader would fall over."""

from typing import Any, Final

import pytest

from perdure.services.shapes import (
    check_artifact,
    check_record,
    read_json,
    read_object,
    values_of,
)
from perdure.stores.records import FIELDS

AT: Final = "2026-01-01T00:00:00.000000+00:00"
REFUSED: Final = (ValueError, KeyError, TypeError, AttributeError)
BODY: Final = {
    **dict.fromkeys(FIELDS), "step_id": "s", "node_id": "n", "status": "completed", "started_at": AT,
}  # fmt: skip
ARTIFACT: Final[dict[str, Any]] = {
    "id": "a", "owner": "o", "sha256": "0", "content_type": "text/plain", "created_at": AT, "kind": "value",
    "session_id": None, "tags": {}, "made_by": ["r", "w", "s", None, None, 1],
}  # fmt: skip


def test_a_record_may_have_its_large_values_beside_it() -> None:
    detail = {"writes": {"out/x": {"$artifact": "a"}}, "offloaded": ["out/x"], "placed": ["b"]}
    check_record(BODY, detail)
    assert list(values_of(detail)) == ["b", "a"]


@pytest.mark.parametrize(
    "detail",
    [
        {"placed": 5}, {"placed": [[1]]}, {"offloaded": ["x"]}, {"offloaded": "x", "writes": {"x": {"$artifact": "a"}}},
        {"offloaded": ["x"], "writes": {"x": 5}}, {"offloaded": ["x"], "writes": {"x": {"$artifact": None}}},
        {"gone": [1]}, {"writes": []},
    ],
)  # fmt: skip
def test_a_record_whose_values_cannot_be_found_is_refused(detail: Any) -> None:
    with pytest.raises(REFUSED):
        check_record(BODY, detail)


@pytest.mark.parametrize("name", ARTIFACT)
def test_an_artifact_is_told_in_texts(name: str) -> None:
    check_artifact(ARTIFACT)
    with pytest.raises(REFUSED):
        check_artifact({**ARTIFACT, name: 5})


@pytest.mark.parametrize("made_by", [["r"], ["r", "w", "s", [1], None, 1], ["r", "w", "s", None, None, -1], [1] * 6])  # fmt: skip
def test_an_artifact_is_made_by_a_step_or_by_none(made_by: Any) -> None:
    check_artifact({**ARTIFACT, "made_by": None})
    with pytest.raises(REFUSED):
        check_artifact({**ARTIFACT, "made_by": made_by})


def test_what_is_read_can_be_written_again() -> None:
    assert read_json(b"[1]") == [1]
    with pytest.raises(REFUSED):
        read_json(b"[" * 500 + b"]" * 500)


@pytest.mark.parametrize("content", [b'{"a":1} ', b' {"a":1}', b"[]", b""])
def test_an_object_has_nothing_about_it(content: bytes) -> None:
    assert read_object(b'{"a":1}') == {"a": 1}
    with pytest.raises(REFUSED):
        read_object(content)
