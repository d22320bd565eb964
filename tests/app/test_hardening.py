"""Each thing that stands open is found, and what closes it is named; what is closed is left in peace."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perdure.app import hardening
from perdure.app.findings import Finding, Level
from perdure.app.settings import Settings, make_data_folder, read_settings
from perdure.app.token_files import token_of

Check = Callable[[Settings], Iterator[Finding]]
STRONG = "agw_0123456789abcdefghijklmnopqrstuvwxyz"


def found(check: Check, **given: Any) -> list[Finding]:
    """What a check finds that is not in order."""
    return [it for it in check(read_settings(**given)) if it.level is not Level.OK]


@pytest.mark.parametrize("token", ["hunter2", "a" * 64, "secret" * 3])
def test_a_token_that_can_be_guessed_is_found(token: str, home: Path) -> None:
    [only] = found(hardening.weak_token, auth_token=token)
    assert only.level is Level.WRONG
    assert only.mend.startswith("openssl rand -hex 32")
    assert token not in only.detail + only.mend
    make_data_folder(read_settings())
    (home / "token").write_text(token)
    assert found(hardening.weak_token) == [only]


def test_a_token_of_ours_is_strong_enough(home: Path) -> None:
    assert found(hardening.weak_token) == []  # there is none yet
    token_of(read_settings())
    assert found(hardening.weak_token) == []
    assert found(hardening.weak_token, auth_token=STRONG) == []


@pytest.mark.parametrize(
    ("origins", "level"),
    [
        ("*", Level.WRONG),
        ("*://app.example.org", Level.WRONG),
        ("https://*", Level.WRONG),
        ("https://*.org", Level.WRONG),
        ("http://app.example.org", Level.WARNING),
    ],
)
def test_an_origin_that_lets_strangers_ask_is_found(origins: str, level: Level) -> None:
    assert [it.level for it in found(hardening.open_origins, allowed_origins=origins)] == [level]


def test_origins_that_are_named_are_in_order() -> None:
    named = "http://localhost:*,https://app.example.org,https://*.example.org"
    assert found(hardening.open_origins, allowed_origins=named) == []


def test_an_address_that_others_reach_is_found() -> None:
    assert found(hardening.plain_http) == []
    [only] = found(hardening.plain_http, host="0.0.0.0")
    assert only.mend.startswith("PERDURE_HOST=127.0.0.1")


def test_a_gateway_of_root_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert [it.name for it in found(hardening.superuser)] == ["account"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert found(hardening.superuser) == []


@pytest.mark.parametrize("name", ["control.db", "control.db-wal", "keys/pepper", "auth/x", "token"])
def test_a_file_that_others_can_read_is_found(name: str, home: Path) -> None:
    home.mkdir(0o755)
    home.chmod(0o755)
    path = home / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    path.chmod(0o640)
    assert [it.mend for it in found(hardening.open_files_of_ours)] == [f"chmod 600 {path}"]
    path.chmod(0o600)
    assert found(hardening.open_files_of_ours) == []
    path.chmod(0o640)
    home.chmod(0o700)  # nobody gets that far
    assert found(hardening.open_files_of_ours) == []


def test_sqlite_on_a_network_is_found(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardening, "MOUNTS", tmp_path / "mounts")
    for kind, wrong in [("nfs4", True), ("ext4", False)]:
        lines = f"dev / ext4 rw 0 0\nserver:/x {home.parent} {kind} rw 0 0\n"
        (tmp_path / "mounts").write_text(lines)
        assert bool(found(hardening.network_files)) == wrong
    url = "postgresql+psycopg://me@db/perdure"
    assert list(hardening.network_files(read_settings(database_url=url))) == []
    (tmp_path / "mounts").unlink()
    assert found(hardening.network_files) == []


def test_a_settings_file_that_others_can_read_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(hardening.settings_file) == []
    path = tmp_path / "below" / "perdure.toml"
    path.parent.mkdir(0o755)
    path.write_text("port = 8080\n")
    path.chmod(0o644)
    monkeypatch.setenv("PERDURE_CONFIG", str(path))
    assert [it.mend for it in found(hardening.settings_file)] == [f"chmod 600 {path}"]
    path.chmod(0o600)
    assert found(hardening.settings_file) == []


def test_a_store_that_may_forget_is_found() -> None:
    assert found(hardening.durable_sqlite) == []
    assert found(hardening.durable_sqlite, sqlite_synchronous="NORMAL")[0].name == "durability"


@pytest.mark.parametrize(
    ("place", "open_"),
    [
        ("me:pw@db.example.org/x", True),
        ("me:pw@db.example.org/x?sslmode=prefer", True),
        ("me:pw@db.example.org/x?sslmode=verify-full", False),
        ("me:pw@localhost/x", False),
        ("me:pw@/x?host=/run/postgresql", False),
    ],
)
def test_a_plain_way_to_postgres_is_found(place: str, open_: bool) -> None:
    told = found(hardening.plain_postgres, database_url=f"postgresql+psycopg://{place}")
    assert bool(told) == open_
    assert all("pw" not in it.detail + it.mend for it in told)


def test_a_key_that_goes_over_plain_http_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_PROVIDER_FAR_BASE_URL", "http://models.example.org/v1")
    assert found(hardening.plain_providers) == []  # without a key nothing is given away
    monkeypatch.setenv("PERDURE_PROVIDER_FAR_API_KEY", "sk-canary")
    [only] = found(hardening.plain_providers)
    assert only.mend == "an https address in PERDURE_PROVIDER_FAR_BASE_URL"
    assert "canary" not in str(only)
    monkeypatch.setenv("PERDURE_PROVIDER_FAR_BASE_URL", "http://127.0.0.1:1234/v1")
    assert found(hardening.plain_providers) == []


def test_the_first_admins_token_is_not_left_lying(home: Path) -> None:
    assert found(hardening.forgotten_token) == []
    (home / "auth").mkdir(parents=True)
    (home / "auth" / "bootstrap-admin-token").write_text("agw_x")
    assert found(hardening.forgotten_token)[0].mend.endswith(
        f"rm {home}/auth/bootstrap-admin-token"
    )
