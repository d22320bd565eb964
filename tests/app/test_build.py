"""The program is put together whole, with what it was given, and taken down in order."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from stat import S_IMODE

import httpx2
import pytest

from perdure.app.build import build
from perdure.app.planes import folder_of
from perdure.app.settings import read_settings
from perdure.clock import text_of
from perdure.errors import Invalid, Unavailable
from perdure.registry.feature import Feature
from tests.support.built import TOKEN, built
from tests.support.clock import START, FakeClock

pytestmark = pytest.mark.anyio


class Guest:
    """Notes when it comes and goes."""

    def __init__(self, diary: list[str], name: str) -> None:
        self._diary, self._name = diary, name

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        self._diary.append(f"{self._name} comes")
        try:
            yield
        finally:
            self._diary.append(f"{self._name} goes")

    def feature(self) -> Feature:
        """The feature that it is."""
        return Feature(self._name, lifespan=self.lifespan)


async def test_it_serves_and_runs_what_was_put_together(home: Path) -> None:
    async with built(home) as it:
        assert (await it.client.get("/healthz")).status_code == 200
        assert (await it.client.get("/readyz")).status_code == 200
        started = await it.start("two-timers")
        assert (await it.ended(started.json()["run_id"]))["status"] == "completed"


async def test_what_is_kept_is_there_the_next_time(home: Path) -> None:
    async with built(home) as it:
        run_id = (await it.start("ask-first", prompt="Well?")).json()["run_id"]
        before = await it.get(f"/runs/{run_id}/input_data")
    async with built(home) as it:
        assert await it.get(f"/runs/{run_id}/input_data") == before
        assert before["input_data"] == {"prompt": "Well?"}


async def test_only_the_token_opens_it(home: Path) -> None:
    async with built(home) as it:
        for token, status in ((TOKEN, 200), ("agw_other", 401), ("", 401)):
            answer = await it.client.get(
                "/api/gateway/me", headers={"authorization": f"Bearer {token}"}
            )
            assert answer.status_code == status, token
        me = await it.get("/me")
        assert me["principal"]["user_id"] == "local-admin"
        assert me["routing"]["mode"] == "single-user"


async def test_a_token_is_made_where_none_is_set(home: Path) -> None:
    async with build(read_settings(embedded_model=False)) as app:
        token = home / "token"
        assert S_IMODE(token.stat().st_mode) == 0o600
        bearer = {"authorization": f"Bearer {token.read_text().strip()}"}
        transport = httpx2.ASGITransport(app=app.api)
        async with httpx2.AsyncClient(transport=transport, base_url="http://it") as client:
            assert (await client.get("/api/gateway/me", headers=bearer)).status_code == 200


async def test_everything_has_its_place_below_the_data_folder(home: Path) -> None:
    async with built(home) as it:
        assert (folder_of(it.app.settings) / "plane.db").is_file()
        assert it.app.runtime.workspaces == home / "planes/default/admin/workspaces"
        assert S_IMODE(home.stat().st_mode) == 0o700


async def test_what_is_brought_along_lives_as_long_as_the_program(home: Path) -> None:
    diary: list[str] = []
    guests = [Guest(diary, name).feature() for name in ("one", "two")]
    settings = read_settings(embedded_model=False)
    async with build(settings, features=guests) as app:
        assert {"one", "two", "flows"} <= {it.name for it in app.runtime.registry.features}
        assert diary == ["one comes", "two comes"]
    assert diary == ["one comes", "two comes", "two goes", "one goes"]


async def test_what_cannot_be_put_together_leaves_nothing_open(home: Path) -> None:
    settings = read_settings(embedded_model=False)
    diary: list[str] = []
    guests = [Guest(diary, "one").feature(), Feature("two", lifespan=unable)]
    with pytest.raises(Unavailable, match="not today"):
        async with build(settings, features=guests):
            raise AssertionError
    assert diary == ["one comes", "one goes"]
    async with build(settings):
        pass  # nobody holds the plane


@asynccontextmanager
async def unable() -> AsyncGenerator[None]:
    """The life of a feature that cannot begin."""
    raise Unavailable("not today")
    yield


async def test_on_sqlite_the_face_alone_is_refused_and_nothing_made(home: Path) -> None:
    with pytest.raises(Invalid, match="needs Postgres"):
        async with build(read_settings(embedded_model=False), with_runner=False):
            raise AssertionError
    assert not home.exists()


async def test_time_is_told_by_the_clock_that_it_was_given(home: Path) -> None:
    settings = read_settings(embedded_model=False, auth_token=TOKEN)
    async with build(settings, clock=FakeClock(START)) as app:
        transport = httpx2.ASGITransport(app=app.api)
        bearer = {"authorization": f"Bearer {TOKEN}"}
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://it", headers=bearer
        ) as it:
            body = {"bundle_id": "two-timers"}
            started = (await it.post("/api/gateway/runs/start", json=body)).json()
            run = (await it.get(f"/api/gateway/runs/{started['run_id']}")).json()
            assert run["created_at"] == text_of(START)
