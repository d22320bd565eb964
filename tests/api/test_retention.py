"""What users who are gone leave is shown to admins, handed on and purged, by its exact id and on the record."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.built import Built, built
from tests.support.planes import DATABASES
from tests.support.postgres import new_database

pytestmark = pytest.mark.anyio
PLACE = "/api/gateway/admin/runtime-reservations"
FIELDS = {
    "tenant_id", "runtime_id", "owner_key", "owner_user_id", "reason", "created_at", "updated_at",
    "data_exists", "data_path",
}  # fmt: skip


@pytest.fixture(params=DATABASES)
async def it(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Built]:
    """A gateway with users, of whom bob is there, and carl is gone and left a run."""
    given = {} if request.param == "sqlite" else {"database_url": new_database()}
    async with built(tmp_path, user_auth=True, **given) as made:
        assert made.app.first_token is not None
        made.client.headers["authorization"] = f"Bearer {made.app.first_token}"
        tokens = {name: await new_user(made, name) for name in ("bob", "carl")}
        body = {"bundle_id": "ask-first", "input_data": {"prompt": "Well?"}}
        started = await ask(made, "POST", "/api/gateway/runs/start", body, token=tokens["carl"])
        assert started.status_code == 200, started.text
        gone = await made.client.delete("/api/gateway/admin/users/carl")
        assert gone.status_code == 200, gone.text
        yield made


async def new_user(made: Built, name: str) -> str:
    """Make a user; their token."""
    answer = await made.client.post("/api/gateway/admin/users", json={"user_id": name})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


async def ask(made: Built, method: str, path: str, body: Any = None, *, token: str = "") -> httpx2.Response:  # fmt: skip
    """Ask for something, as the admin unless with another's token."""
    headers = {"authorization": f"Bearer {token}"} if token else None
    return await made.client.request(method, path, json=body, headers=headers)


async def reservations(made: Built) -> dict[str, Any]:
    """What is kept of users who are gone, by runtime."""
    found = (await made.get("/admin/runtime-reservations"))["runtime_reservations"]
    return {one["runtime_id"]: one for one in found}


async def test_a_user_who_is_gone_leaves_a_reservation(it: Built) -> None:
    kept = await reservations(it)
    assert set(kept) == {"carl"}
    one = kept["carl"]
    assert set(one) == FIELDS
    assert (one["owner_user_id"], one["reason"], one["data_exists"]) == (
        "carl",
        "deleted-user",
        True,
    )
    assert not Path(one["data_path"]).is_absolute()


async def test_promise_80_it_is_handed_on_with_its_runs(it: Built) -> None:
    body = {"target_user_id": "bob", "confirm_runtime_id": "carl"}
    answer = await ask(it, "POST", f"{PLACE}/carl/transfer", body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["transferred"], told["user"]["runtime_id"]) == (True, "carl")
    assert told["previous_runtime_id"] == told["reservation"]["runtime_id"] == "bob"
    assert set(await reservations(it)) == {"bob"}
    token = (await it.client.patch("/api/gateway/admin/users/bob", json={"rotate_token": True})).json()["token"]  # fmt: skip
    runs = (await ask(it, "GET", "/api/gateway/runs", token=token)).json()["items"]
    assert len(runs) == 1


async def test_promise_83_a_purge_frees_the_id_and_takes_the_data(it: Built) -> None:
    place = (await reservations(it))["carl"]["data_path"]
    answer = await ask(it, "POST", f"{PLACE}/carl/purge", {"confirm_runtime_id": "carl"})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "ok": True, "purged": True, "deleted_data": True, "runtime_id": "carl", "tenant_id": "default",
        "data_path": place,
    }  # fmt: skip
    assert await reservations(it) == {}
    assert not (it.app.settings.data_dir / place).exists()
    token = await new_user(it, "carl")
    assert (await ask(it, "GET", "/api/gateway/runs", token=token)).json()["items"] == []


@pytest.mark.parametrize("how", ["transfer", "purge"])
@pytest.mark.parametrize("said", ["CARL", "carl ", "car", "bob"])
async def test_no_likeness_of_an_id_counts(it: Built, how: str, said: str) -> None:
    body = {"confirm_runtime_id": said} | ({"target_user_id": "bob"} if how == "transfer" else {})
    answer = await ask(it, "POST", f"{PLACE}/carl/{how}", body)
    assert answer.status_code in (400, 422), answer.text
    assert (await reservations(it))["carl"]["data_exists"]


async def test_data_are_not_kept_under_a_free_id(it: Built) -> None:
    body = {"confirm_runtime_id": "carl", "delete_data": False}
    assert (await ask(it, "POST", f"{PLACE}/carl/purge", body)).status_code == 400
    assert "carl" in await reservations(it)


async def test_what_somebody_has_is_not_theirs_to_take(it: Built) -> None:
    taken = await ask(it, "POST", f"{PLACE}/bob/purge", {"confirm_runtime_id": "bob"})
    assert (taken.status_code, taken.json()["code"]) == (409, "conflict")
    for how, body in (("purge", {}), ("transfer", {"target_user_id": "bob"})):
        none = await ask(it, "POST", f"{PLACE}/none/{how}", {"confirm_runtime_id": "none", **body})
        assert none.status_code == 404, how


async def test_promise_85_only_admins_list_hand_on_and_purge(it: Built) -> None:
    made = await it.client.post(
        "/api/gateway/admin/users", json={"user_id": "dora", "scopes": ["*"]}
    )
    token, told = made.json()["token"], []
    for runtime in ("carl", "none"):
        confirmed = {"confirm_runtime_id": runtime, "target_user_id": "dora"}
        asked = [await ask(it, "GET", PLACE, token=token)]
        for how in ("purge", "transfer"):
            asked.append(await ask(it, "POST", f"{PLACE}/{runtime}/{how}", confirmed, token=token))
        assert [(one.status_code, one.json()["reason_code"]) for one in asked] == [
            (403, "admin_required")
        ] * 3
        told.append([one.text.replace(one.json()["instance"], "") for one in asked])
    assert told[0] == told[1], "what is there is told as what is not"
    assert (await reservations(it))["carl"]["data_exists"]


async def test_promise_85_both_are_on_the_record(it: Built) -> None:
    body = {"target_user_id": "bob", "confirm_runtime_id": "carl"}
    await ask(it, "POST", f"{PLACE}/carl/transfer", body)
    await ask(it, "POST", f"{PLACE}/bob/purge", {"confirm_runtime_id": "bob"})
    told = (await it.get("/audit", limit=50))["items"]
    done = {(one["action"], one["outcome"]) for one in told}
    assert {("runtime:transfer", "done"), ("runtime:purge", "done")} <= done
