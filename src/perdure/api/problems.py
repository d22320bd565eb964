"""The one place where errors get a status: everything that goes wrong becomes a problem document.

What the program refuses on purpose is a `GatewayError`; the nearest listed ancestor says the
status. What the protocol refuses (no such path, no such method) is told in the same form. What
is neither is a bug: the answer has a fixed text and a correlation id, the trace is in the log.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from perdure import errors
from perdure.errors import GatewayError
from perdure.kernel.values import Json

MEDIA_TYPE: Final = "application/problem+json"  # RFC 9457 §3

STATUS: Final[Mapping[type[GatewayError], int]] = {
    errors.Invalid: 400,
    errors.NotJson: 422,
    errors.UnknownMedia: 415,
    errors.NoSuchRange: 416,
    errors.Unfit: 422,
    errors.KeyReused: 422,
    errors.BundleRefused: 422,
    errors.FlowRefused: 422,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.LedgerBroken: 500,
    errors.TooLarge: 413,
    errors.QuotaReached: 413,
    errors.LimitReached: 429,
    errors.Unavailable: 503,
}
RETRYABLE: Final = (errors.VersionConflict, errors.InFlight, errors.TooMany, errors.Unavailable)
LATER_S: Final = 1  # when to try again, where the error does not say it


class Kind(NamedTuple):
    """A kind of problem: what the page of problems says of it."""

    code: str
    status: int
    title: str
    retryable: bool = False


BUG: Final = Kind("internal_error", 500, "The program has a bug here.")
SECRETS: Final = frozenset({"api_key", "password", "secret", "token"})  # fields never repeated
UNKNOWN_FIELD: Final = "extra_forbidden"  # as pydantic calls it
BUG_DETAIL: Final = "Something went wrong that should not. The log has it under this instance."

PROTOCOL: Final[Mapping[int, Kind]] = {
    400: Kind("invalid", 400, "The request is not valid."),
    404: Kind("not_found", 404, "There is no such thing."),
    405: Kind("method_not_allowed", 405, "This cannot be done with this method."),
}


def kind_of(error: type[GatewayError]) -> Kind:
    """The kind of a class of errors; its status is that of the nearest listed ancestor."""
    status = next((STATUS[it] for it in error.__mro__ if it in STATUS), BUG.status)
    title = (error.__doc__ or "").strip().splitlines()[0]
    retryable = issubclass(error, RETRYABLE) and error is not errors.SchemaNewer
    return Kind(error.code, status, title, retryable)


def kinds() -> list[Kind]:
    """Every kind of problem that an answer can name, by code."""
    every = {kind.code: kind for kind in (*PROTOCOL.values(), BUG)}
    every |= {error.code: kind_of(error) for error in _below(GatewayError)}
    return sorted(every.values())


def document(kind: Kind, detail: str, instance: str, facts: Mapping[str, object]) -> dict[str, Any]:
    """A problem as RFC 9457 has it; the facts of the error stand beside its own members."""
    return {
        **facts,
        "type": f"/problems/{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": kind.code,
        "instance": instance,
        "retryable": kind.retryable,
    }


def answer(
    kind: Kind, detail: str, instance: str, facts: Mapping[str, object] | None = None
) -> Response:
    """The answer that a problem is."""
    headers = {"x-request-id": instance}
    if kind.status == 401:
        headers["www-authenticate"] = "Bearer"
    told = dict(facts or {})
    if kind.retryable and kind.status in (429, 503):
        headers["retry-after"] = str(told.setdefault("retry_after", LATER_S))
    content = orjson.dumps(document(kind, detail, instance, told), default=str)
    return Response(content, kind.status, headers, MEDIA_TYPE)


def answer_to(error: GatewayError, instance: str) -> Response:
    """The answer to an error that was raised on purpose."""
    return answer(kind_of(type(error)), error.detail, instance, error.facts)


def register(app: FastAPI) -> None:
    """Have every error of `app` answered here."""
    app.add_exception_handler(GatewayError, _on_purpose)
    app.add_exception_handler(RequestValidationError, _unfit)
    app.add_exception_handler(ClientDisconnect, _nobody)
    for status in PROTOCOL:
        app.add_exception_handler(status, _of_the_protocol)
    app.add_exception_handler(Exception, _bug)


async def _on_purpose(request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)
    return answer_to(error, instance_of(request))


async def _unfit(request: Request, error: Exception) -> Response:
    """What does not have its shape: 422 where the body is to blame, 400 for all else."""
    assert isinstance(error, RequestValidationError)
    faults = [_told(fault) for fault in error.errors()]
    of_body = any(fault["loc"][:1] == ["body"] for fault in faults)
    kind = kind_of(errors.Unfit if of_body else errors.Invalid)
    return answer(kind, _sentence(faults), instance_of(request), {"errors": faults})


async def _of_the_protocol(request: Request, error: Exception) -> Response:
    """What the framework refuses; or what was raised while it read a body, and it wrapped."""
    if isinstance(error.__cause__, GatewayError):
        return answer_to(error.__cause__, instance_of(request))
    status: int = getattr(error, "status_code", 400)
    if status in (404, 405) and request.app.state.absent.fullmatch(request.scope["path"]):
        return answer_to(errors.FeatureAbsent(), instance_of(request))
    response = answer(PROTOCOL[status], PROTOCOL[status].title, instance_of(request))
    if status == 405:
        response.headers["allow"] = ", ".join(_methods_at(request))
    return response


def _methods_at(request: Request) -> list[str]:
    """What can be done at the path of a request, by the routes of its own place, else of the first that it fits."""
    routes = [route for route in request.app.routes if isinstance(route, APIRoute)]
    path: str = request.scope["path"]
    fitting = [it.path for it in routes if it.path_regex.match(path)]
    place = path if path in fitting else next(iter(fitting), None)
    return sorted({it for route in routes if route.path == place for it in route.methods or ()})


async def _nobody(request: Request, error: Exception) -> Response:
    """The client went away while its body was being read; nobody sees this answer."""
    return answer(PROTOCOL[400], "The body was cut short.", instance_of(request))


async def _bug(request: Request, error: Exception) -> Response:
    return answer(BUG, BUG_DETAIL, instance_of(request))


def instance_of(request: Request) -> str:
    """The id under which the log knows this request."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def _told(fault: Mapping[str, Any]) -> dict[str, Json]:
    """A fault in FastAPI's form, without what a client sent but short plain values of it."""
    told: dict[str, Json] = {
        "type": fault["type"], "loc": [_place(part) for part in fault["loc"]], "msg": fault["msg"],
    }  # fmt: skip
    sent = fault.get("input")
    if SECRETS.intersection(fault["loc"]) or fault["type"] == UNKNOWN_FIELD:
        return told  # a misspelt `token` is one as well
    of_body = fault["loc"][:1] == ("body",)  # what stands in a URL or a header is not repeated
    if sent is None or isinstance(sent, bool | int | float) or (of_body and _is_short(sent)):
        told["input"] = sent
    if fault.get("ctx"):
        told["ctx"] = {name: str(value) for name, value in fault["ctx"].items()}
    return told


def _is_short(sent: object) -> bool:
    return isinstance(sent, str) and len(sent) <= 200


def _place(part: object) -> Json:
    return part if isinstance(part, int) else str(part)[:200]


def _sentence(faults: Sequence[Mapping[str, Json]]) -> str:
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}{more}"


def _below(error: type[GatewayError]) -> Iterator[type[GatewayError]]:
    """The errors of the tree below one; what others derive for themselves is no answer of the API."""
    for child in error.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from _below(child)
