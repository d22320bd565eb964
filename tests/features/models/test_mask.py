"""A key is hidden in whatever a provider says, in every form in which it may be written."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.features.models.mask import Mask

KEY = "sk->>>???/0123+456=789"


@pytest.mark.parametrize(
    "written",
    [KEY, KEY.encode().hex(), KEY.encode().hex().upper(), quote(KEY, safe=""), quote(KEY),
     base64.b64encode(KEY.encode()).decode(), base64.urlsafe_b64encode(KEY.encode()).decode()],
)  # fmt: skip
def test_each_form_of_a_key_is_hidden(written: str) -> None:
    told = Mask(KEY).text(f"you sent {written}, which is wrong")
    assert written.rstrip("=") not in told
    assert told.startswith("you sent *") and len(told) == len(f"you sent {written}, which is wrong")


@given(before=st.binary(max_size=8), after=st.binary(max_size=8))
def test_base64_of_more_than_the_key_does_not_hold_it(before: bytes, after: bytes) -> None:
    told = Mask(KEY).text(base64.b64encode(before + KEY.encode() + after).decode())
    assert KEY.encode()[1:-1] not in base64.b64decode(told.replace("*", "A"))
    assert "*" * 16 in told


def test_values_are_looked_through_and_lengths_stay() -> None:
    value = {"a": [KEY, {KEY: 1}], "b": None, "c": 1.5, "d": True}
    told = Mask(KEY).json(value)
    assert KEY not in json.dumps(told)
    assert told["a"][0] == "*" * len(KEY) and (told["b"], told["c"], told["d"]) == (None, 1.5, True)


@pytest.mark.parametrize("word", ["", "none", "EMPTY", "ollama"])
def test_what_is_too_short_to_be_a_secret_is_left_alone(word: str) -> None:
    assert Mask(word).text("none of ollama is EMPTY") == "none of ollama is EMPTY"
