"""What all routes have in common: bodies read strictly, answers written once, problems declared."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from perdure.api.bodies import read_json
from perdure.api.schemas.problem import Problem
from perdure.errors import UnknownMedia
from perdure.kernel.values import Json

PREFIX: Final = "/api/gateway"
JSON: Final = "application/json"
ALWAYS: Final = (400, 401, 403, 429, 500, 503)  # what any route may answer
WITH_BODY: Final = (413, 415, 422)  # and one that reads a body, besides

_MEANING: Final[Mapping[int, str]] = {
    400: "The request is not valid", 401: "A credential is needed", 403: "Not allowed for you",
    404: "There is no such thing", 409: "The state of things does not allow it", 413: "Too large",
    415: "Not a kind of body that is read here", 422: "The body does not fit",
    429: "Too many requests", 500: "A bug", 503: "Not possible right now",
}  # fmt: skip

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRoute(APIRoute):
    """A route whose JSON body is read by `read_json` and by nothing else."""

    def get_route_handler(self) -> Handler:
        """Read the body before FastAPI would."""
        handler = super().get_route_handler()
        if self.body_field is None or _takes_a_form(self):
            return handler

        async def strict(request: Request) -> Response:
            raw = await request.body()
            if raw:
                _check_media_type(request)
                # What `Request.json` keeps once it has read the body, and then looks at first.
                request._json = read_json(raw)
            return await handler(request)

        return strict


def _takes_a_form(route: APIRoute) -> bool:
    field = route.body_field
    return field is not None and type(field.field_info).__name__ in ("Form", "File")


def _check_media_type(request: Request) -> None:
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != JSON and not (sent.startswith("application/") and sent.endswith("+json")):
        raise UnknownMedia("Send the body as application/json, and say so in Content-Type.")


def resource(tag: str, prefix: str = PREFIX) -> APIRouter:
    """A router for one resource; its operations are named as its functions are."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        route_class=StrictRoute,
        generate_unique_id_function=_operation_id,
    )


def _operation_id(route: APIRoute) -> str:
    return route.name


def answers(
    model: type[BaseModel], *problems: int, body: bool = False, status: int = 200
) -> dict[int | str, dict[str, Any]]:
    """Declare what a route answers: the shape when it goes well, and its problems."""
    return {status: {"model": model, "description": "Done"}} | refusals(*problems, body=body)


def refusals(*problems: int, body: bool = False) -> dict[int | str, dict[str, Any]]:
    """Declare the problems of a route beside those that any route has."""
    statuses = {*ALWAYS, *problems, *(WITH_BODY if body else ())}
    return {
        status: {
            "description": _MEANING[status],
            "content": {"application/problem+json": {"schema": _PROBLEM_REF}},
        }
        for status in sorted(statuses)
    }


_PROBLEM_REF: Final = {"$ref": f"#/components/schemas/{Problem.__name__}"}


def json_of(value: Json) -> Response:
    """Answer a value as JSON; `orjson.Fragment` in it goes out as the bytes that it holds."""
    return Response(orjson.dumps(value), media_type=JSON)


def json_bytes(content: bytes) -> Response:
    """Answer bytes that are JSON already."""
    return Response(content, media_type=JSON)


def spliced(head: bytes, items: Sequence[bytes], tail: bytes) -> Response:
    """Answer stored bytes between a head and a tail, none of them encoded again."""
    return Response(head + b",".join(items) + tail, media_type=JSON)
