"""A key that is gone is found while the stores hold what only it opens; the look changes nothing."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from perdure.adapters.sealer import RingFile
from perdure.adapters.sql.plane import PlaneConfig, open_postgres_plane, open_sqlite_plane
from perdure.app.control import first_admin, open_control, open_ground
from perdure.app.doctor import CHECKS
from perdure.app.findings import Finding, Level
from perdure.app.lost_keys import lost_keys
from perdure.app.settings import make_data_folder, read_settings
from perdure.ids import TenantId
from perdure.stores.profiles import Profile
from perdure.stores.sealer import Place
from tests.support.clock import FakeClock
from tests.support.planes import DATABASES
from tests.support.postgres import new_database

pytestmark = pytest.mark.anyio

TENANT, ORIGIN = TenantId("default"), "https://api.example.com"


@pytest.fixture(params=DATABASES)
def given(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings of user mode on either database."""
    if request.param == "sqlite":
        return {"user_auth": True}
    return {"user_auth": True, "database_url": new_database()}


async def leave_behind(given: dict[str, Any], *, shared: str = "", own: str = "") -> None:
    """The first admin's token, and a sealed secret of the gateway, of a user, or none."""
    settings = read_settings(**given)
    make_data_folder(settings)
    async with AsyncExitStack() as stack:
        ground = await open_ground(stack, settings)
        control = await open_control(stack, settings, ground, FakeClock())
        await first_admin(settings, control)

        def profile(secret: str) -> Profile:
            place = Place(TENANT, "", "p", ORIGIN)
            return Profile(
                "p", "P", "", "openai", ORIGIN, ORIGIN, (), (), enabled=True, created_at="", updated_at="",
                sealed=control.sealer.seal(secret, place),
            )  # fmt: skip

        if shared:
            await control.profiles.of(TENANT).add(profile(shared))
        if own:
            folder = settings.data_dir / "planes" / "default" / "admin"
            config = PlaneConfig(lambda _batch: None, ground.pools)
            engine = ground.engine
            plane = await (
                open_sqlite_plane(folder, config)
                if engine is None
                else open_postgres_plane(engine, "plane_admin", folder, config)
            )
            await plane.profiles.add(profile(own))
            await plane.close()


def found(given: dict[str, Any]) -> list[Finding]:
    """What is not in order."""
    return [it for it in lost_keys(read_settings(**given)) if it.level is not Level.OK]


async def test_nothing_is_said_of_keys_that_are_all_there(
    given: dict[str, Any], home: Path
) -> None:
    assert found(given) == []
    await leave_behind(given, shared="a secret", own="another")
    before = sorted(home.rglob("*"))
    assert found(given) == []
    assert sorted(home.rglob("*")) == before, "a look leaves nothing"
    assert lost_keys in CHECKS


async def test_tokens_without_the_key_that_hashes_them_are_found(
    given: dict[str, Any], home: Path
) -> None:
    await leave_behind(given)
    (home / "keys/pepper").unlink()
    [only] = found(given)
    assert only.level is Level.WRONG and "none of 1 tokens" in only.detail
    assert only.mend.startswith(f"restore {home / 'keys/pepper'}") and "bootstrap" in only.mend


def gone(home: Path) -> None:
    """The keys are not where they were."""
    (home / "keys/secrets").unlink()


def new(home: Path) -> None:
    """A start has made new keys in their place."""
    gone(home)
    RingFile(home / "keys/secrets").read()


@pytest.mark.parametrize("lost", [gone, new])
@pytest.mark.parametrize("whose", ["shared", "own"])
async def test_secrets_without_the_key_that_opens_them_are_found(
    given: dict[str, Any], home: Path, whose: str, lost: Callable[[Path], None]
) -> None:
    await leave_behind(given, **{whose: "a secret"})
    key = (home / "keys/secrets").read_text().strip()
    lost(home)
    [only] = found(given)
    assert only.level is Level.WRONG and str(home / "keys/secrets") in only.mend
    assert found({**given, "secrets_key": key}) == [], "the setting goes before the file"
    assert key not in only.detail + only.mend
    assert found({**given, "secrets_key_command": "false"}) == [], "a command is not run"
