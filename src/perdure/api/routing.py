"""What all routes have in common: an action, a body read strictly, an answer, declared problems."""

from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence, Set
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from fastapi.params import Depends
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from perdure.api.acts import REFUSALS
from perdure.api.bodies import read_json
from perdure.api.collaborators import Collaborators
from perdure.api.schemas.problem import Problem
from perdure.api.short import NotPlain, Part, parts_of_route, read_all, single_of
from perdure.errors import Invalid, UnknownMedia
from perdure.identity.access import check
from perdure.identity.principal import Principal
from perdure.kernel.values import Json

PREFIX: Final = "/api/gateway"
JSON: Final = "application/json"
ALWAYS: Final = (400, 401, 403, 429, 500, 503)  # what any route may answer
WITH_BODY: Final = (413, 415, 422)  # and one that reads a body, besides

_MEANING: Final[Mapping[int, str]] = {
    400: "The request is not valid", 401: "A credential is needed", 403: "Not allowed for you",
    404: "There is no such thing", 409: "The state of things does not allow it", 413: "Too large",
    415: "Not a kind of body that is read here", 416: "There is no such part of it", 422: "The body does not fit",
    429: "Too many requests", 500: "A bug", 503: "Not possible right now",
}  # fmt: skip

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Required:
    """The right to one action."""

    def __init__(self, action: str) -> None:
        """Ask for `action`."""
        self.action = action

    async def __call__(self, request: Request) -> None:
        """Let the request pass. Raises `Unauthenticated` or `Forbidden`, also where no gate stood before."""
        collaborators = collaborators_of(request)
        at_home = request.scope.get("state", {}).get("at_home", False)
        rules = collaborators.rules_at_home if at_home else collaborators.rules
        check(self.action, asking(request), rules)


class StrictRoute(APIRoute):
    """A route that asks for its one action first, and reads a JSON body by `read_json` alone.

    It answers the short way where that is enough, and FastAPI's way else.
    """

    def __init__(self, path: str, endpoint: Handler, **options: Any) -> None:
        """Take the action out of the dependencies: it is asked before the body is read."""
        given: Sequence[Depends] = options.pop("dependencies", None) or ()
        asked = [it.dependency for it in given if isinstance(it.dependency, Required)]
        if len(asked) != 1:
            raise ValueError(f"{path} names {len(asked)} actions; one is needed")
        self.required = asked[0]
        others = [it for it in given if it.dependency is not self.required]
        super().__init__(path, endpoint, dependencies=others, **options)
        self._single = frozenset(single_of(self.dependant))
        self._parts: tuple[Part, ...] | None = None  # read off the signature at the first request
        self._is_plain = not others

    async def _shortly(self, request: Request, body: Json) -> Response:
        """What the route answers. Raises `NotPlain` where FastAPI has to say it."""
        if not self._is_plain:
            raise NotPlain
        if self._parts is None:
            self._is_plain = False  # which stands where the signature is not plain
            self._parts = parts_of_route(self.endpoint, tuple(self.param_convertors))
            self._is_plain = True
        response: Response = await self.endpoint(**await read_all(self._parts, request, body))
        return response

    def get_route_handler(self) -> Handler:
        """Check the right, read the body, then do as FastAPI does."""
        handler, required = super().get_route_handler(), self.required
        reads_json = self.body_field is not None and not _takes_a_form(self)

        async def answer(request: Request) -> Response:
            _check_once(request, self._single)
            body = await _read_body(request) if reads_json else None
            try:
                return await self._shortly(request, body)
            except NotPlain:
                if body is not None:
                    # What `Request.json` keeps once it has read the body, and then looks at first.
                    request._json = body
                return await handler(request)

        async def strict(request: Request) -> Response:
            collaborators = collaborators_of(request)
            recorder = collaborators.recorder
            try:
                await required(request)
            except REFUSALS as refused:
                if recorder is not None:
                    await recorder.refused(request.scope, required.action, refused)
                raise
            if recorder is None:
                return await answer(request)
            rule = collaborators.rules[required.action]
            return await recorder.answered(request, required.action, rule, answer)

        return strict


def _check_once(request: Request, single: Set[str]) -> None:
    """Raises `Invalid` where a parameter that has one value is given several: nobody knows which is meant."""
    if b"&" not in request.scope["query_string"]:
        return
    given = Counter(name for name, _ in request.query_params.multi_items())
    for name in sorted(single & given.keys()):
        if given[name] > 1:
            raise Invalid(f"{name} stands {given[name]} times in the query.")


async def _read_body(request: Request) -> Json:
    """What the body holds, or `None` where there is none. Raises `UnknownMedia`, `NotJson`."""
    raw = await request.body()
    if not raw:
        return None
    _check_media_type(request)
    return read_json(raw)


def asking(request: Request) -> Principal | None:
    """Who asks, as the gate found; `None` for nobody in particular."""
    principal: Principal | None = request.scope.get("state", {}).get("principal")
    return principal


def collaborators_of(request: Request) -> Collaborators:
    """What this application stands on."""
    collaborators: Collaborators = request.app.state.collaborators
    return collaborators


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
