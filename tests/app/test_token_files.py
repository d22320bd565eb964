"""The installation's tokens: where each is kept, made once, and for this account alone."""

import stat
from pathlib import Path

import pytest

from perdure.app.settings import read_settings
from perdure.app.token_files import bootstrap_path, installation_token_of, token_of, token_path
from perdure.errors import Invalid


def test_the_token_is_made_once_and_for_this_account_alone(home: Path) -> None:
    first = token_of(read_settings()).get_secret_value()
    assert first.startswith("agw_")
    assert len(first) > 40
    assert token_of(read_settings()).get_secret_value() == first
    assert stat.S_IMODE((home / "token").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [it.name for it in home.iterdir()] == ["token"]


def test_a_token_comes_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("agw_mounted\n")
    settings = read_settings(auth_token_file=path)
    assert token_path(settings) == path
    assert token_of(settings).get_secret_value() == "agw_mounted"
    path.write_text("\n")
    with pytest.raises(Invalid, match="is empty"):
        token_of(settings)


def test_what_opens_user_mode_is_the_first_admins_token_until_another_is_set(
    tmp_path: Path,
) -> None:
    settings = read_settings(user_auth=True)
    assert token_path(settings) == bootstrap_path(settings)
    assert installation_token_of(settings) is None
    path = tmp_path / "secret"
    path.write_text("agw_mounted\n")
    settings = read_settings(user_auth=True, auth_token_file=path)
    assert token_path(settings) == path
    token = installation_token_of(settings)
    assert token is not None
    assert token.get_secret_value() == "agw_mounted"
