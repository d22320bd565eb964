"""The modes, by their own names and by those of the gateway that this one replaces."""

import pytest

from perdure.app.settings import read_settings
from perdure.errors import Invalid


@pytest.mark.parametrize(
    ("value", "users"),
    [("users", True), (" Users ", True), ("legacy-token", False), ("token", False), ("1", True)],
)
def test_user_mode_is_known_by_its_name_elsewhere(
    value: str, users: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABSTRACTGATEWAY_AUTH_MODE", value)
    assert read_settings().user_auth is users


def test_a_mode_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSTRACTGATEWAY_AUTH_MODE", "everybody")
    with pytest.raises(Invalid, match="PERDURE_USER_AUTH: input should be a valid boolean"):
        read_settings()
