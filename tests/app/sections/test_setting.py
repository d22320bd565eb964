"""The kinds of values that several sections have, and what a setting says of itself."""

from pathlib import Path

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from perdure.app.sections.setting import Listed, WholePath, setting
from perdure.app.settings import read_settings


class Sweets(BaseModel):
    """A section, for these tests."""

    spoons: int = setting(2, "how much sugar", "SUGAR", shown="a little", ge=0)


def test_a_setting_has_its_default_its_meaning_its_old_names_and_its_bounds() -> None:
    field = Sweets.model_fields["spoons"]
    assert (field.default, field.description) == (2, "how much sugar")
    assert field.json_schema_extra == {"old": ["SUGAR"], "shown": "a little"}
    assert Sweets(spoons=0).spoons == 0
    with pytest.raises(ValidationError):
        Sweets(spoons=-1)


@pytest.mark.parametrize(
    ("value", "parts"), [("1, 2,", (1, 2)), (" ", ()), ("", ()), ([3], (3,)), ((4,), (4,))]
)
def test_a_list_is_separated_by_commas(value: object, parts: tuple[int, ...]) -> None:
    assert TypeAdapter(Listed[int]).validate_python(value) == parts


def test_a_part_of_a_list_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Listed[int]).validate_python("1,two")


def test_a_path_may_stay_unset() -> None:
    assert TypeAdapter(WholePath | None).validate_python(None) is None


def test_a_path_is_made_whole_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_settings(data_dir=Path("here")).data_dir == tmp_path / "here"
    assert read_settings(data_dir=Path("~/there")).data_dir == tmp_path / "there"
