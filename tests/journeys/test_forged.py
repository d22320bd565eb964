"""Whatever a forger writes into the file of a run, with every digest right: no reader of it falls over."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest

from perdure.bundles.bundle import Bundle
from perdure.features.files.feature import files_feature
from perdure.features.files.pdf.bounds import PdfBounds
from perdure.features.files.pdf.pdfs import Pdfs
from perdure.kernel.model import TERMINAL
from perdure.stores.runs import RunQuery
from tests.support.drawing import a_bundle, a_flow, a_literal, a_node, a_start, an_end
from tests.support.forging import STRANGE, Opened, closed, forged, opened, places_in
from tests.support.gateway import FEATURES, PATIENCE_S, Gateway, Options, a_gateway

pytestmark = pytest.mark.anyio
MUTANTS = 50 * int(os.environ.get("SOAK", "1"))
FILES = (*FEATURES, files_feature(Pdfs(PdfBounds())))
OF_A_RUN = (
    "", "/state", "/state?seq=1", "/diff?from=0", "/ledger", "/ledger?detail=full", "/history_bundle", "/input_data",
    "/verify", "/artifacts", "/export",
)  # fmt: skip
OF_A_SCHEDULE = ("", "/occurrences", "/preview")
OF_ALL = ("/runs", "/schedules", "/artifacts/search?q=a", "/artifacts/stats")


def a_bundle_of_all_sorts() -> Bundle:
    """A loop, branches beside each other, a child that asks, an artifact, an event and a time."""
    child = a_flow(
        {"start": a_start("x"), "ask": a_node("ask_user", "prompt", out="response"), "end": an_end("x")},
        "start -> ask -> end", "start.x => ask.prompt", "ask.response => end.x", id="child",
    )  # fmt: skip
    file = {"file_path": "a.txt", "content": "hi"}
    nodes = {
        "start": a_start("prompt"), "items": a_literal([1, 2]), "it": a_node("loop", "items", out="item"),
        "keep": a_node("set_var", "value", defaults={"name": "seen"}), "par": a_node("parallel"),
        "sub": a_node("subflow", "x", out="x", subflowId="child"), "file": a_node("write_file", defaults=file),
        "art": a_node("import_workspace_file", out="artifact", defaults=file),
        "emit": a_node("emit_event", defaults={"name": "e", "payload": {}}),
        "wait": a_node("wait_until", defaults={"duration": "0.01"}), "end": an_end("x", "file"),
    }  # fmt: skip
    main = a_flow(nodes,
        "start -> it", "it:loop -> keep", "it:done -> par", "par:then:0 -> sub", "par:then:1 -> file -> art",
        "par:completed -> emit -> wait -> end", "items.value => it.items", "it.item => keep.value",
        "start.prompt => sub.x", "sub.x => end.x", "art.artifact => end.file",
    )  # fmt: skip
    return a_bundle(main, child)


async def children(gateway: Gateway, run_id: str, count: int) -> list[str]:
    """The children of a run, once there are so many."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            items = (await gateway.get(f"/runs?parent_run_id={run_id}")).json()["items"]
            if len(items) >= count:
                return [it["run_id"] for it in items]
            await anyio.sleep(0.01)


async def exports(folder: Path) -> AsyncIterator[Opened]:
    """A run of all sorts, and a schedule with two runs that wait for a person."""
    async with a_gateway(folder, Options(features=FILES)) as gateway:
        await gateway.install(a_bundle_of_all_sorts())
        run_id = await gateway.start("kit:main", prompt="y" * 70_000)
        (child,) = await children(gateway, run_id, 1)
        waiting = (await gateway.until(child, "waiting"))["waiting"]
        answer = {"wait_key": waiting["wait_key"], "payload": {"response": "yes"}}
        await gateway.command(child, "resume", payload=answer)
        await gateway.until(run_id, "completed")
        terms = {"interval": "100ms", "repeat_count": 2, "overlap": "allow_all"}
        planned = {"bundle_id": "kit", "flow_id": "child", "input_data": {"x": "1"}, **terms}
        schedule = (await gateway.post("/runs/schedule", planned)).json()["run_id"]
        await children(gateway, schedule, 2)
        for one in (run_id, schedule):
            yield opened((await gateway.get(f"/runs/{one}/export")).content)


async def fallen(gateway: Gateway, told: Opened) -> list[str]:
    """The questions about these runs that the gateway cannot answer."""
    asked = [await gateway.get(path) for path in OF_ALL]
    artifacts = [it["id"] for it in told["manifest"]["artifacts"]]
    for run_id in told["runs"]:
        asked += [await gateway.get(f"/runs/{run_id}{path}") for path in OF_A_RUN]
        asked += [await gateway.get(f"/schedules/{run_id}{path}") for path in OF_A_SCHEDULE]
        asked += [await gateway.get(f"/runs/{run_id}/artifacts/{it}/content") for it in artifacts]
        asked.append(await gateway.get(f"/workflows/scheduled:{run_id}/flow"))
        asked.append(await gateway.post(f"/runs/{run_id}/replay"))
        for more in ({}, {"from_seq": 2}, {"from_seq": 1, "effects": "reuse"}):
            asked.append(await gateway.post(f"/runs/{run_id}/fork", more))
        asked.append(await gateway.post("/bundles/kit/verify", {"bundle_version": "1.0.0"}))
    return [f"{it.request.method} {it.request.url} {it.status_code} {it.text[:200]}" for it in asked if it.status_code >= 500]  # fmt: skip


async def taken_in(gateway: Gateway, content: bytes) -> int:
    """The status with which a file is taken in, or refused."""
    answer = await gateway.client.post("/api/gateway/runs/import", files={"file": ("x", content)})
    return int(answer.status_code)


async def forget(gateway: Gateway) -> None:
    """Have none of the runs, so that the next forgery of them can come. Forks are never begun, and stay."""
    query = RunQuery(limit=500, hidden=True, drafts=True)
    headers = (await gateway.runtime.plane.runs.list(query)).items
    roots = {it.birth.root_id for it in headers if it.status in TERMINAL}
    await gateway.runtime.plane.purges.purge(sorted(roots), artifacts=True)


def is_in_a_part(place: tuple[Any, ...]) -> bool:
    """Whether it is in the manifest, in cells, or in the body or the detail of a record."""
    return place[0] == "manifest" or place[2:3] == ("cells",) or len(place) > 4


async def test_a_forged_file_is_refused_or_every_reader_can_do_with_it(tmp_path: Path) -> None:
    told = [it async for it in exports(tmp_path / "here")]
    chance = Random(5)
    places = [(one, it) for one in told for it in places_in(one) if is_in_a_part(it)]
    statuses: set[int] = set()
    async with a_gateway(tmp_path / "there", Options(features=FILES, runs=False)) as there:
        await there.install(a_bundle_of_all_sorts())
        for one in told:
            assert await taken_in(there, closed(one)) == 200
            assert await fallen(there, one) == []
            await forget(there)
        for _ in range(MUTANTS):
            one, place = chance.choice(places)
            value = chance.choice(STRANGE)
            status = await taken_in(there, forged(one, place, value))
            statuses.add(status)
            assert status in (200, 409, 413, 422), (place, value)
            if status == 200:
                assert await fallen(there, one) == [], (place, value)
                await forget(there)
    assert {200, 422} <= statuses
