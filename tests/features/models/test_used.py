"""Who names a profile: by its exact name or as a model of it, anywhere in a flow or an input."""

import pytest

from perdure.features.models.used import names
from perdure.kernel.values import Json

NAME = "endpoint:office"


@pytest.mark.parametrize(
    "value",
    [
        NAME,
        "endpoint:office/llama",
        {"nodes": [{"data": {"config": {"provider": NAME}}}]},
        [1, None, True, ["deep", [NAME]]],
    ],
)
def test_it_is_found_however_deep(value: Json) -> None:
    assert names(value, NAME)


@pytest.mark.parametrize(
    "value",
    ["endpoint:office-2", "office", "see endpoint:office", {NAME: "only a key"}, [], {}, None, 7],
)
def test_what_only_looks_like_it_is_not(value: Json) -> None:
    assert not names(value, NAME)
