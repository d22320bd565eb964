"""An admin reads what is another's only with a reason, on record, and in the sight of whom it concerns."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.built import built
from tests.support.deeds import Doer

pytestmark = pytest.mark.anyio


async def a_run(doer: Doer) -> tuple[str, str, str]:
    """A user with a run: who they are, their token, and the run."""
    user, token = await doer.user()
    body = {"bundle_id": "ask-first", "input_data": {"prompt": "of my own"}}
    headers = {"authorization": f"Bearer {token}"}
    run = await doer.ready("POST", "/runs/start", body, headers=headers)
    return user, token, run["run_id"]


async def own_view(doer: Doer, token: str) -> list[Any]:
    """What somebody sees of admins that looked."""
    told = await doer.ready("GET", "/me/audit", headers={"authorization": f"Bearer {token}"})
    return [
        it for it in told["items"] if it["action"] == "user:inspect" and it["outcome"] == "done"
    ]


async def test_promise_74_an_admins_read_is_seen_by_whom_it_concerns(
    tmp_path: Path,
    database: str,
) -> None:
    async with built(tmp_path, database, user_auth=True) as one:
        doer = Doer(one)
        user, token, run_id = await a_run(doer)
        why = {"reason": "a ticket of theirs"}
        listed = await doer.ready("GET", f"/admin/users/{user}/runs", params=why)
        assert [it["run_id"] for it in listed["items"]] == [run_id]
        read = await doer.ready("GET", f"/admin/users/{user}/runs/{run_id}", params=why)
        assert read["run_id"] == run_id
        ledger = await doer.ready("GET", f"/admin/users/{user}/runs/{run_id}/ledger", params=why)
        assert all(it["run_id"] == run_id for it in ledger["items"])
        seen = await own_view(doer, token)
        assert [it["facts"]["reason"] for it in seen] == ["a ticket of theirs"] * 3
        assert {it["actor"] for it in seen} == {"local-admin"}
        assert all("address" not in it for it in seen)
        assert "of my own" not in str(seen)


async def test_without_a_reason_nothing_is_read(tmp_path: Path) -> None:
    async with built(tmp_path, user_auth=True) as one:
        doer = Doer(one)
        user, token, run_id = await a_run(doer)
        for path in ("", f"/{run_id}", f"/{run_id}/ledger"):
            for reason in ({}, {"reason": ""}, {"reason": "x"}):
                answer = await doer.send("GET", f"/admin/users/{user}/runs{path}", params=reason)
                assert answer.status_code == 400, answer.text
                assert run_id not in answer.text.replace(path, "")
        assert await own_view(doer, token) == []


async def test_promise_68_who_is_no_admin_reads_nobody(
    tmp_path: Path,
    database: str,
) -> None:
    async with built(tmp_path, database, user_auth=True) as one:
        doer = Doer(one)
        user, _, run_id = await a_run(doer)
        _, token = await doer.user()
        headers = {"authorization": f"Bearer {token}"}
        for named in (user, "nobody-here"):
            path = f"/admin/users/{named}/runs/{run_id}?reason=because"
            answer = await doer.send("GET", path, headers=headers)
            assert (answer.status_code, answer.json()["reason_code"]) == (403, "admin_required")


async def test_a_run_of_somebody_else_is_not_there(tmp_path: Path) -> None:
    async with built(tmp_path, user_auth=True) as one:
        doer = Doer(one)
        user, _, _ = await a_run(doer)
        _, _, other = await a_run(doer)
        for run_id in (other, "no-such-run"):
            path = f"/admin/users/{user}/runs/{run_id}?reason=because"
            answer = await doer.send("GET", path)
            assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found")
