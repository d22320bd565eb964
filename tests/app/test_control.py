"""The control store with its keys, who may come in, and the first admin, who is made once."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from stat import S_IMODE

import pytest
from pydantic import SecretStr

from perdure.app import control as module
from perdure.app.control import (
    first_admin,
    open_control,
    open_credentials,
    open_ground,
    reinstate_admin,
)
from perdure.app.settings import Settings, read_settings
from perdure.app.token_files import bootstrap_path
from perdure.clock import SystemClock
from perdure.errors import Invalid, Unauthenticated, UserExists
from perdure.identity.credentials import Credentials
from perdure.identity.sessions import SessionLife
from perdure.ids import TenantId
from perdure.runtimes.control import ControlContext
from perdure.services import principals, sessions
from perdure.services.sessions import Browser
from perdure.stores.audit import AuditQuery, fields_of
from tests.support.postgres import new_database

pytestmark = pytest.mark.anyio


def settings_of(folder: Path, database: str = "sqlite", **more: object) -> Settings:
    """Settings of user mode."""
    if database != "sqlite":
        more["database_url"] = new_database()
    return read_settings(data_dir=folder, **{"user_auth": True, **more})


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[ControlContext, Credentials]]:
    """The control store of one life of the program, and who may come in."""
    async with AsyncExitStack() as stack:
        ground = await open_ground(stack, settings)
        control = await open_control(stack, settings, ground, SystemClock())
        yield control, await open_credentials(stack, settings, control)


async def test_the_first_start_makes_an_admin_whose_token_is_told_once(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    path = bootstrap_path(settings)
    async with opened(settings) as (control, credentials):
        token = await first_admin(settings, control)
        assert token is not None
        assert path.read_text().strip() == token
        assert S_IMODE(path.stat().st_mode) == 0o600
        principal = await credentials.principal_of(token)
        assert principal is not None
        assert (principal.tenant, principal.user, principal.runtime) == ("default", "admin", "admin")  # fmt: skip
        assert principal.admin
        assert await first_admin(settings, control) is None
    async with opened(settings) as (control, credentials):
        assert await first_admin(settings, control) is None
        assert await credentials.principal_of(token) == principal


async def test_the_first_admin_is_on_the_record(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    async with opened(settings) as (control, _):
        await first_admin(settings, control)
        page = await control.audit.page(AuditQuery(TenantId("default")))
    assert [fields_of(it.body)["action"] for it in page.items] == ["user:bootstrap"]


async def test_a_start_that_was_cut_loses_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Stands for the end of the process."""

    async def cut(*_given: object) -> None:
        raise Killed

    settings = settings_of(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(principals, "create_first", cut)
        async with opened(settings) as (control, _):
            with pytest.raises(Killed):
                await first_admin(settings, control)
    kept = bootstrap_path(settings).read_text().strip()
    async with opened(settings) as (control, credentials):
        assert await first_admin(settings, control) == kept
        assert await credentials.principal_of(kept) is not None


async def test_who_was_slower_leaves_no_token_that_is_not_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slower(*_given: object) -> None:
        raise UserExists

    settings = settings_of(tmp_path)
    monkeypatch.setattr(principals, "create_first", slower)
    async with opened(settings) as (control, _):
        assert await first_admin(settings, control) is None
    assert not bootstrap_path(settings).exists()


async def test_a_file_that_holds_no_token_is_refused_with_its_place(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    bootstrap_path(settings).parent.mkdir()
    bootstrap_path(settings).write_text("no token")
    async with opened(settings) as (control, _):
        with pytest.raises(Invalid, match="bootstrap-admin-token"):
            await first_admin(settings, control)


async def test_the_first_admin_is_let_in_again_by_who_has_the_files(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    async with opened(settings) as (control, credentials):
        first = await first_admin(settings, control)
        again = await reinstate_admin(settings, control)
        assert first is not None
        assert await credentials.principal_of(first) is None
        assert await credentials.principal_of(again) is not None
        assert bootstrap_path(settings).read_text().strip() == again


async def test_promise_10_a_single_token_lets_in_one_local_admin(
    tmp_path: Path,
    database: str,
) -> None:
    settings = settings_of(tmp_path, database, user_auth=False)
    async with opened(settings) as (control, credentials):
        assert await first_admin(settings, control) is None
        token = (tmp_path / "token").read_text().strip()
        principal = await credentials.principal_of(token)
        assert principal is not None
        assert (principal.tenant, principal.user) == ("local", "local-admin")
        assert await credentials.principal_of("") is None
    assert not bootstrap_path(settings).exists()


async def test_promise_14_where_there_are_users_no_token_is_good_that_nobody_set(
    tmp_path: Path,
    database: str,
) -> None:
    (tmp_path / "token").write_text("agw_left_from_before")
    async with opened(settings_of(tmp_path, database)) as (_, credentials):
        for shown in ("agw_left_from_before", "", "anything"):
            assert await credentials.principal_of(shown) is None


async def test_promise_09_a_token_set_on_purpose_comes_in_and_signs_no_browser_in(
    tmp_path: Path,
    database: str,
) -> None:
    settings = settings_of(tmp_path, database, auth_token=SecretStr("set on purpose"))
    async with opened(settings) as (control, credentials):
        await first_admin(settings, control)
        principal = await credentials.principal_of("set on purpose")
        assert principal is not None
        assert principal.tenant == "local"
        with pytest.raises(Unauthenticated):
            await sessions.open_session(control, "admin", "set on purpose", browser=Browser())


async def test_keys_are_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    async with opened(settings) as (control, _):
        pepper, signed = control.pepper, control.signer.sign("x")
    for name in (module.PEPPER, module.SESSION, module.AUDIT):
        assert S_IMODE((tmp_path / "keys" / name).stat().st_mode) == 0o600
    async with opened(settings) as (control, _):
        assert control.pepper == pepper
        assert control.signer.unsign(signed) == "x"


async def test_keys_and_lives_are_as_they_are_set(tmp_path: Path) -> None:
    (tmp_path / "pepper").write_bytes(bytes(32))
    settings = settings_of(
        tmp_path, pepper_file=tmp_path / "pepper", session_secret=SecretStr("a secret"),
        session_ttl_s=100, remember_session_ttl_s=200, session_idle_s=60,
    )  # fmt: skip
    async with opened(settings) as (control, _):
        assert control.pepper == bytes(32)
        assert control.session_life == SessionLife(60, 100, 200)
    assert not (tmp_path / "keys" / module.SESSION).exists()
    assert "a secret" not in repr(control)
    assert repr(bytes(32)) not in repr(control)
