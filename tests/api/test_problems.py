"""Whatever goes wrong is a problem document with the right status, and a bug tells nothing of itself."""

from pathlib import Path
from typing import Any

import pytest

from perdure import errors
from perdure.api import problems
from perdure.errors import GatewayError
from perdure.registry.feature import Feature
from tests.support.gateway import FEATURES, Gateway, Options, a_gateway
from tests.support.reference_api import REFERENCE, problems_page

STATUSES = {
    errors.GatewayError: 500,
    errors.Invalid: 400,
    errors.NotJson: 422,
    errors.UnknownMedia: 415,
    errors.Unfit: 422,
    errors.KeyReused: 422,
    errors.BundleRefused: 422,
    errors.FlowRefused: 422,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.RunNotFound: 404,
    errors.FeatureAbsent: 404,
    errors.VersionConflict: 409,
    errors.DuplicateCommand: 409,
    errors.LedgerBroken: 500,
    errors.TooLarge: 413,
    errors.TooMany: 429,
    errors.LimitReached: 429,
    errors.SchemaNewer: 503,
    errors.StoreFailed: 503,
}


@pytest.mark.parametrize(("error", "status"), STATUSES.items(), ids=lambda it: str(it))
def test_an_error_has_the_status_of_its_nearest_listed_ancestor(
    error: type[GatewayError], status: int
) -> None:
    assert problems.kind_of(error).status == status


def test_codes_are_unique_and_every_kind_has_a_title() -> None:
    kinds = problems.kinds()
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert all(kind.title.endswith(".") for kind in kinds)


def test_the_page_of_problems_is_made_of_the_tree() -> None:
    page = REFERENCE / "problems.md"
    assert page.read_text() == problems_page(), "run `python -m tests.support.reference_api`"


def test_facts_stand_beside_the_members_and_never_over_them() -> None:
    told = problems.document(
        problems.kind_of(errors.Conflict), "why", "id", {"status": 200, "extra": 1}
    )
    assert (told["status"], told["extra"], told["type"]) == (409, 1, "/problems/conflict")


def test_what_can_be_tried_again_says_when() -> None:
    later = problems.answer_to(errors.TooMany(retry_after=7), "id")
    assert later.headers["retry-after"] == "7"
    down = problems.answer_to(errors.StoreFailed(), "id")
    assert down.headers["retry-after"] == "1"
    assert "retry-after" not in problems.answer_to(errors.Conflict(), "id").headers


def a_broken_feature() -> Feature:
    """A feature with one route that has a bug."""
    from perdure.api.deps import require
    from perdure.api.routing import resource

    router = resource("broken")

    @router.get("/broken", dependencies=[require("me:read")])
    async def broken() -> None:
        """Break."""
        raise RuntimeError("the secret of this line")

    return Feature("broken", routers=(router,))


@pytest.mark.anyio
async def test_a_bug_is_told_by_its_id_alone(tmp_path: Path) -> None:
    options = Options(features=(*FEATURES, a_broken_feature()))
    async with a_gateway(tmp_path, options) as gateway:
        answer = await gateway.get("/broken", headers={"x-request-id": "abc"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.json()["instance"] == "abc"
    assert "secret" not in answer.text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/gateway/never", 404, "not_found"),
        ("GET", "/never", 404, "not_found"),
        ("GET", "/api/gateway/kg/query", 404, "feature_absent"),
        ("DELETE", "/api/gateway/me", 405, "method_not_allowed"),
        ("GET", "/api/gateway/runs/", 404, "not_found"),
        ("GET", "/api/gateway/runs?limit=0", 400, "invalid"),
        ("GET", "/api/gateway/runs?status=odd", 400, "invalid"),
        ("GET", "/api/gateway/runs/nobody", 404, "run_not_found"),
        ("POST", "/api/gateway/runs/start", 422, "unfit"),
    ],
)
async def test_every_refusal_has_the_same_form(
    gateway: Gateway, method: str, path: str, status: int, code: str
) -> None:
    answer = await gateway.client.request(method, path)
    told: dict[str, Any] = answer.json()
    assert (answer.status_code, told["status"], told["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["type"] == f"/problems/{code}"
    assert told["instance"] == answer.headers["x-request-id"]
    assert isinstance(told["detail"], str)
    assert (await gateway.client.get(told["type"])).json()["status"] == status


@pytest.mark.anyio
async def test_a_wrong_method_says_which_are_right(gateway: Gateway) -> None:
    answer = await gateway.client.delete("/api/gateway/me")
    assert answer.headers["allow"] == "GET"
    several = await gateway.client.put("/api/gateway/bundles/ask")
    assert several.headers["allow"] == "DELETE, GET"
    own = await gateway.client.put(
        "/api/gateway/runs/schedule"
    )  # which `/runs/{run_id}` fits as well
    assert own.headers["allow"] == "POST"


@pytest.mark.anyio
async def test_a_body_that_does_not_fit_is_told_field_by_field(gateway: Gateway) -> None:
    answer = await gateway.post("/runs/start", {"input_data": [], "thinking": "very"})
    told = answer.json()
    places = {tuple(fault["loc"][:2]) for fault in told["errors"]}
    assert answer.status_code == 422
    assert places == {("body", "input_data"), ("body", "thinking")}
    assert told["detail"].startswith("body.")


@pytest.mark.anyio
async def test_what_was_sent_is_not_sent_back_at_length(gateway: Gateway) -> None:
    answer = await gateway.post("/runs/start", {"input_data": "s" * 1_000})
    assert "input" not in answer.json()["errors"][0]
    assert len(answer.content) < 1_000


@pytest.mark.anyio
@pytest.mark.parametrize("field", ["token", "Token", "apiKey", "pasword"])
async def test_a_secret_under_a_wrong_name_is_not_sent_back(gateway: Gateway, field: str) -> None:
    answer = await gateway.post("/me/tokens", {"name": "n", field: "agw_secret"})
    assert answer.status_code == 422 and "agw_secret" not in answer.text


@pytest.mark.anyio
async def test_what_stands_in_a_url_is_not_sent_back(gateway: Gateway) -> None:
    answer = await gateway.get("/runs?limit=agw_secret&status=agw_secret")
    assert answer.status_code == 400 and "agw_secret" not in answer.text
