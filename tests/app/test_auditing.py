"""The keeper of the audit writes counts down and vouches for chains, also at the end."""

from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from perdure.app.auditing import open_recorder
from perdure.errors import Forbidden
from perdure.services.audit import entry_of, note
from tests.support.audited import audited, entries
from tests.support.built import built
from tests.support.callers import a_principal
from tests.support.chains import TENANT, an_entry

pytestmark = pytest.mark.anyio


async def test_nothing_is_left_unwritten_when_the_program_ends(tmp_path: Path) -> None:
    async with audited(tmp_path) as control:
        async with AsyncExitStack() as stack:
            recorder = await open_recorder(stack, control)
            alice = a_principal("alice", tenant=TENANT)
            scope = {"state": {"principal": alice}, "client": ("10.0.0.1", 1)}
            for _ in range(3):
                await recorder.refused(scope, "user:write", Forbidden(reason_code="admin_required"))
        first, count = await entries(control)
        assert (first["actor"], first["reason_code"]) == ("alice", "admin_required")
        assert count["facts"]["repeated"] == 2
        assert await control.audit.marked() == {TENANT: 2}


async def test_chains_are_vouched_for_time_and_again(tmp_path: Path) -> None:
    async with audited(tmp_path) as control, AsyncExitStack() as stack:
        await open_recorder(stack, control, every_s=0.01)
        for n in range(1, 4):
            await note(control, an_entry(n))
            with anyio.fail_after(30):
                while await control.audit.marked() != {TENANT: n}:
                    await anyio.sleep(0.01)


async def test_a_store_that_fails_does_not_end_the_keeper(tmp_path: Path) -> None:
    async with audited(tmp_path) as control, AsyncExitStack() as stack:
        recorder = await open_recorder(stack, control, every_s=0.01)
        await control.audit.close()  # type: ignore[attr-defined]  # of SqlAudit
        await recorder.refused({"state": {}}, "user:write", Forbidden())
        await anyio.sleep(0.05)
        assert entry_of(None, "user:write").actor == "(nobody)"


async def test_promise_74_the_program_puts_acts_and_refusals_on_record(
    tmp_path: Path,
    database: str,
) -> None:
    async with built(tmp_path, database) as one:
        answer = await one.start("basic-llm", prompt="a secret of the user")
        assert answer.status_code == 200, answer.text
        run_id = answer.json()["run_id"]
        with anyio.fail_after(30):
            while not (items := (await one.get("/audit", action="run:start"))["items"]):
                await anyio.sleep(0.02)
        assert [(it["actor"], it["target"], it["outcome"]) for it in items] == [
            ("local-admin", run_id, "done")
        ]
        assert items[0]["request_id"] == answer.headers["x-request-id"]
        assert "a secret of the user" not in str(items)
