"""Every route names one action of the table, every operation says what it can answer."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter

from perdure.api.app import create_app, routes_of
from perdure.api.collaborators import Collaborators
from perdure.api.deps import require
from perdure.api.routing import resource
from perdure.identity.access import RULES
from perdure.identity.credentials import SingleToken
from perdure.identity.principal import Principal
from perdure.registry.feature import Feature
from perdure.registry.registry import registry_of
from perdure.runtimes.context import RuntimeContext
from tests.support.gateway import FEATURES, Gateway, Options, a_gateway
from tests.support.reference_api import REFERENCE, routes_page

pytestmark = pytest.mark.anyio
ASKED_WITHIN = {"profile:share"}  # by a route of another action, of some of what it is asked for


def collaborators(*features: Feature) -> Collaborators:
    """What an application stands on that opens no plane."""

    async def open_runtime(_principal: Principal) -> RuntimeContext:
        raise AssertionError("nothing is opened here")

    return Collaborators(registry_of(features, RULES), open_runtime, SingleToken(["t"], b"k"))


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation of the document."""
    document = create_app(collaborators(*FEATURES)).openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_route_names_an_action_of_the_table() -> None:
    app = create_app(collaborators(*FEATURES))
    known = app.state.collaborators.rules
    assert [route.path for route in routes_of(app) if route.required.action not in known] == []


def test_every_action_of_the_table_has_a_route() -> None:
    app = create_app(collaborators(*FEATURES))
    named = {route.required.action for route in routes_of(app)}
    assert named | ASKED_WITHIN == set(app.state.collaborators.rules)
    assert not named & ASKED_WITHIN


def test_a_route_without_an_action_cannot_be_made() -> None:
    forgetful = resource("forgetful")
    with pytest.raises(ValueError, match="names 0 actions"):
        forgetful.get("/forgotten")(lambda: None)
    with pytest.raises(ValueError, match="names 2 actions"):
        forgetful.get("/torn", dependencies=[require("me:read"), require("run:read")])(lambda: None)


@pytest.mark.parametrize("action", [None, "thing:unknown"])
def test_a_feature_with_such_a_route_stops_the_start(action: str | None) -> None:
    router = APIRouter() if action is None else resource("odd")

    async def odd() -> None:
        """Be odd."""

    router.add_api_route("/odd", odd, dependencies=[require(action)] if action else [])
    with pytest.raises(ValueError, match=r"names no action|which the access table lacks"):
        create_app(collaborators(Feature("odd", routers=(router,))))


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)


def test_operations_say_what_they_do_and_what_can_go_wrong() -> None:
    for method, path, operation in operations():
        where = f"{method} {path}"
        assert operation["description"].endswith("."), where
        told = set(operation["responses"])
        assert {"200", "400", "401", "403", "429", "500", "503"} <= told, where
        assert "404" in told or "{" not in path or "/sessions/" in path, where
        assert ("requestBody" in operation) == ("422" in told), where


def test_problems_are_told_as_problems() -> None:
    for method, path, operation in operations():
        for status, told in operation["responses"].items():
            if int(status) >= 400:
                assert list(told["content"]) == ["application/problem+json"], (method, path, status)
    schemas = create_app(collaborators()).openapi()["components"]["schemas"]
    assert "Problem" in schemas
    assert not {"HTTPValidationError", "ValidationError"} & set(schemas)


def test_the_page_of_routes_is_made_of_them() -> None:
    page = REFERENCE / "routes.md"
    assert page.read_text() == routes_page(), "run `python -m tests.support.reference_api`"


def test_routes_are_short() -> None:
    """A route has an action, a body, one call and a view."""
    import inspect

    for route in routes_of(create_app(collaborators(*FEATURES))):
        lines, _ = inspect.getsourcelines(route.endpoint)
        body = "".join(lines).partition('"""')[2].partition('"""')[2]
        assert len(body.strip().splitlines()) <= 10, route.path
        assert not re.search(r"^\s*(try|if|except)\b", body, re.MULTILINE), route.path


async def test_promise_01_nothing_below_the_prefix_answers_without_a_credential(
    anywhere: Gateway,
) -> None:
    for route in routes_of(anywhere.app):
        if not route.path.startswith("/api/gateway/") or route.required.action == "session:login":
            continue
        for method in route.methods or ():
            path = re.sub(r"\{\w+\}", "x", route.path)
            answer = await anywhere.client.request(method, path, headers={"authorization": ""})
            assert answer.status_code == 401, (method, path)


async def test_without_a_feature_its_routes_are_absent_and_the_rest_answers(tmp_path: Path) -> None:
    async with a_gateway(tmp_path, Options(features=FEATURES[1:])) as gateway:
        assert (await gateway.get("/bundles")).json()["code"] == "feature_absent"
        assert (await gateway.get("/runs")).status_code == 200
        found = (await gateway.get("/discovery/capabilities")).json()
        bundles = found["capabilities"]["contracts"]["flow_editor"]["bundles"]
        assert not any(contract["available"] for contract in bundles.values())
