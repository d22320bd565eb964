"""Flows with code, run whole: what the code gave, its errors, a missing sandbox, and a cancel in the middle."""

from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest

from perdure.features.code.feature import code_feature
from perdure.features.code.sandbox import sandbox as sandboxes
from tests.features.code.sandbox.test_sandbox import processes
from tests.support.drawing import a_bundle, a_flow, a_node, a_start, an_end
from tests.support.gateway import FEATURES, Gateway, Options, a_gateway
from tests.support.sandboxes import BOUNDS, PATIENCE_S, WAYS, a_sandbox, a_way

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
BODIES = {
    "doubles": "return {'twice': 2 * n}",
    "fails": "return n['no such key']",
    "endless": "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass",
}


@pytest.fixture(params=WAYS)
async def gateway(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Gateway]:
    """A gateway with a flow for each body, which runs in each way there is."""
    flows = [
        a_flow(
            {"start": a_start(n=4), "code": a_node("code", "n", out="output twice", codeBody=body), "end": an_end("twice")},
            "start -> code -> end", "start.n => code.n", "code.twice => end.twice", id=name,
        )
        for name, body in BODIES.items()
    ]  # fmt: skip
    with a_sandbox(BOUNDS, [a_way(request.param)]) as sandbox:
        options = Options(features=(*FEATURES, code_feature(sandbox)))
        async with a_gateway(tmp_path, options) as gateway:
            await gateway.install(a_bundle(*flows))
            yield gateway


async def records_of(gateway: Gateway, run_id: str) -> list[dict[str, object]]:
    """The records of the code's effect."""
    items = (await gateway.get(f"/runs/{run_id}/ledger")).json()["items"]
    return [it for it in items if (it["effect"] or {}).get("type") == "run_code"]


async def test_what_the_code_gave_is_on_record_with_what_it_took(gateway: Gateway) -> None:
    run_id = await gateway.start("doubles")
    assert (await gateway.until(run_id, "completed", "failed"))["output"]["twice"] == 8
    *_, record = await records_of(gateway, run_id)
    assert record["status"] == "completed" and isinstance(record["result"], dict)
    assert record["result"]["execution"]["duration_ms"] > 0


async def test_an_error_of_the_code_ends_the_run_well_and_is_on_record(gateway: Gateway) -> None:
    run_id = await gateway.start("fails")
    output = (await gateway.until(run_id, "completed", "failed"))["output"]
    assert (output["success"], output["node"]) == (False, "code") and "TypeError" in output["error"]
    *_, record = await records_of(gateway, run_id)
    assert record["status"] == "failed" and "code_failed" in str(record["error"])


async def test_without_a_sandbox_the_run_fails_with_the_reason(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = tmp_path / "keeper.py"
    keeper.write_text('print(\'{"ended": "refused", "detail": "an old kernel"}\')')
    monkeypatch.setattr(sandboxes, "KEEPER", keeper)
    run_id = await gateway.start("doubles")
    error = (await gateway.until(run_id, "completed", "failed"))["error"]
    assert error.startswith("sandbox_unavailable: ") and "an old kernel" in error


async def test_a_cancel_ends_the_process_of_code_that_ignores_signals(gateway: Gateway) -> None:
    before = processes()
    run_id = await gateway.start("endless")
    with anyio.fail_after(PATIENCE_S):
        while len(processes() - before) < 2:  # the keeper and its sandbox
            await anyio.sleep(0.01)
    await gateway.command(run_id, "cancel", payload={})
    await gateway.until(run_id, "cancelled")
    with anyio.fail_after(PATIENCE_S):
        while processes() - before:
            await anyio.sleep(0.01)
