"""A feature can be left out: the program starts, says what it lacks, and does all the rest."""

import re
from pathlib import Path
from typing import Any

import pytest

from perdure.api.app import actions_of
from tests.house.tree import SRC
from tests.support.built import Built, built

pytestmark = pytest.mark.anyio
FEATURES = sorted(path.parent.name for path in SRC.glob("features/*/__init__.py"))
EVERYWHERE = ("/healthz", "/readyz", "/api/health")


async def contracts_in(it: Built) -> Any:
    """What discovery says that holds here."""
    return (await it.get("/discovery/capabilities"))["capabilities"]["contracts"]


def absent(tree: Any) -> list[str]:
    """The places in a tree of contracts of which it says that their feature is absent."""
    if not isinstance(tree, dict):
        return []
    own = (
        [tree["endpoint"]]
        if tree.get("reason_code") == "feature_absent" and "endpoint" in tree
        else []
    )
    assert not own or tree["available"] is False
    return own + [place for part in tree.values() for place in absent(part)]


@pytest.fixture(scope="module")
async def routes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """Every route of the whole program, by method and path, with its action."""
    async with built(tmp_path_factory.mktemp("whole")) as whole:
        return actions_of(whole.app.api)


def test_there_are_features_to_leave_out() -> None:
    assert {"agents", "echo", "flows", "models"} <= set(FEATURES)


@pytest.mark.parametrize("name", FEATURES)
async def test_without_a_feature_the_program_starts_and_says_so(
    name: str, tmp_path: Path, routes: dict[tuple[str, str], str]
) -> None:
    async with built(tmp_path, features_off=name) as it:
        for place in EVERYWHERE:
            assert (await it.client.get(place)).status_code == 200, place
        contracts = await contracts_in(it)
        assert contracts["features"][name] == {"available": False, "reason_code": "feature_absent"}
        others = {one: {"available": True} for one in FEATURES if one != name}
        assert contracts["features"] == {name: contracts["features"][name], **others}
        lost = routes.keys() - actions_of(it.app.api).keys()
        assert lost or name in ("agents", "echo", "files")
        for method, path in lost:
            answer = await it.client.request(method, re.sub(r"\{\w+\}", "x", path))
            assert (answer.status_code, answer.json()["code"]) == (404, "feature_absent"), path
            assert path not in str(contracts) or path in absent(contracts), path


async def test_what_is_left_goes_on(tmp_path: Path) -> None:
    async with built(tmp_path, features_off="agents,echo,models") as it:
        started = await it.start("two-timers")
        assert started.status_code == 200
        assert (await it.ended(started.json()["run_id"]))["status"] == "completed"


async def test_without_flows_none_is_started_and_the_reason_is_told(tmp_path: Path) -> None:
    async with built(tmp_path, features_off="flows") as it:
        refused = await it.start("ask-first")
        assert (refused.status_code, refused.json()["code"]) == (404, "feature_absent")
        assert (await it.get("/runs"))["items"] == []
        assert (await contracts_in(it))["flow_editor"]["bundles"]["list"]["available"] is False


async def test_without_models_a_question_fails_and_says_why(tmp_path: Path) -> None:
    async with built(tmp_path, features_off="models") as it:
        started = await it.start("basic-llm", prompt="Where?")
        run = await it.ended(started.json()["run_id"])
        assert (run["status"], run["error"][:14]) == ("failed", "not_configured")
        assert (await contracts_in(it))["abstractcode"]["available"] is False


async def test_without_agents_an_agent_fails_and_says_why(tmp_path: Path) -> None:
    async with built(tmp_path, features_off="agents") as it:
        started = await it.start("basic-agent", prompt="Where?")
        run = await it.ended(started.json()["run_id"])
        assert run["status"] == "failed"
        assert "feature_absent" in run["error"]


async def test_a_feature_that_is_back_is_as_before(tmp_path: Path) -> None:
    async with built(tmp_path) as it:
        run_id = (await it.start("two-timers")).json()["run_id"]
        before = await it.ended(run_id)
    async with built(tmp_path, features_off="flows") as it:
        assert await it.get(f"/runs/{run_id}") == before
        assert (await it.get(f"/runs/{run_id}/verify"))["ok"]
    async with built(tmp_path) as it:
        assert (await it.start("two-timers")).status_code == 200
