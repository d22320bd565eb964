"""The short way into a route answers what FastAPI's way answers, and leaves to it whatever does not fit."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import Cookie, Depends, Form, Header, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from perdure.api.short import NotPlain, parts_of_route
from tests.support.gateway import Gateway

B = "/api/gateway"
HERE = "00000000-0000-7000-8000-000000000000"
ODD = [
    ("GET", f"{B}/runs?limit=0", None, {}),
    ("GET", f"{B}/runs?limit=many", None, {}),
    ("GET", f"{B}/runs/a%00b", None, {}),
    ("GET", f"{B}/runs/{'a' * 300}", None, {}),
    ("GET", f"{B}/runs/{HERE}", None, {}),
    ("GET", f"{B}/runs/{HERE}/ledger?after=-1&limit=x", None, {}),
    ("GET", f"{B}/runs/{HERE}/ledger/stream?heartbeat_s=0", None, {}),
    ("GET", f"{B}/runs/{HERE}/ledger/stream", None, {"last-event-id": "first"}),
    ("POST", f"{B}/runs/start", b"", {}),
    ("POST", f"{B}/runs/start", b"[]", {}),
    ("POST", f"{B}/runs/start", b"null", {}),
    ("POST", f"{B}/runs/start", b'{"flow_id": 3, "thinking": "deep"}', {}),
    ("POST", f"{B}/runs/start", b'{"flow_id": "nowhere:main"}', {}),
    ("POST", f"{B}/runs/start", b"{}", {"idempotency-key": "a key"}),
    ("POST", f"{B}/runs/start", b'{"a": NaN}', {}),
    ("POST", f"{B}/runs/ledger/batch", b'{"runs": [{"run_id": "a", "after": -1}]}', {}),
    ("POST", f"{B}/commands", b'{"run_id": "a"}', {}),
]


async def _asked(gateway: Gateway, method: str, path: str, body: bytes | None, headers: Any) -> Any:
    named = {"content-type": "application/json", **headers}
    answer = await gateway.client.request(method, path, content=body, headers=named)
    told = answer.json()
    for name in ("instance", "request_id"):
        told.pop(name, None)
    return answer.status_code, answer.headers["content-type"], told


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path", "body", "headers"), ODD)
async def test_both_ways_say_the_same_of_what_does_not_fit(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: bytes | None,
    headers: dict[str, str],
) -> None:  # fmt: skip
    short = await _asked(gateway, method, path, body, headers)
    for route in gateway.app.routes:
        monkeypatch.setattr(route, "_is_plain", False)
    assert await _asked(gateway, method, path, body, headers) == short
    assert short[0] >= 400


@pytest.mark.anyio
async def test_what_fits_is_answered_without_the_long_way(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(**_all: object) -> object:
        raise AssertionError("FastAPI solved dependencies")

    monkeypatch.setattr("fastapi.routing.solve_dependencies", never)
    body = {"flow_id": "straight:main", "input_data": {"prompt": "Ask."}}
    started = await gateway.client.post(f"{B}/runs/start", json=body)
    run_id = started.json()["run_id"]
    for path in ("", "/ledger?after=0&limit=5&detail=full", "/ledger/stream?after=0", "/verify"):
        answer = await gateway.client.get(f"{B}/runs/{run_id}{path}")
        assert answer.status_code == 200, path


# --- which signatures are plain ----------------------------------------------------------------


class Asked(BaseModel):
    after: int = 0


class Lists(BaseModel):
    names: list[str] = []


def sync_dependency() -> int:
    return 1


async def route_of_all(
    request: Request, run_id: str, asked: Annotated[Asked, Query()], last_id: Annotated[int | None, Header()] = None
) -> Response:  # fmt: skip
    return Response()


async def list_in_query(asked: Annotated[Lists, Query()]) -> Response:
    return Response()


async def made_into_an_answer() -> dict[str, int]:
    return {}


async def in_a_thread(it: Annotated[int, Depends(sync_dependency)]) -> Response:
    return Response()


async def with_a_cookie(it: Annotated[str | None, Cookie()] = None) -> Response:
    return Response()


async def with_a_form(it: Annotated[Asked, Form()]) -> Response:
    return Response()


async def with_a_default(asked: int = 3) -> Response:
    return Response()


def test_each_parameter_of_a_plain_route_is_read() -> None:
    names = [it.name for it in parts_of_route(route_of_all, ("run_id",))]
    assert names == ["request", "run_id", "asked", "last_id"]


@pytest.mark.parametrize(
    "route",
    [list_in_query, made_into_an_answer, in_a_thread, with_a_cookie, with_a_form, with_a_default],
)
def test_what_only_fastapi_reads_is_left_to_it(route: Callable[..., Any]) -> None:
    with pytest.raises(NotPlain):
        parts_of_route(route, ())
