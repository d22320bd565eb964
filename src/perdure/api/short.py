"""The short way into a route: what FastAPI would read of a request that is as it should be, read plainly.

FastAPI solves the dependencies of a route anew for every request, which takes longer than most
answers do. What a route asks for is read off its signature once, at its first request. A request
that does not fit, in whatever way, takes FastAPI's way: that one says what is wrong with it.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from inspect import Parameter, Signature, iscoroutinefunction, signature
from typing import Annotated, Any, Final, NamedTuple, get_args, get_origin
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.params import Body, Depends, Header, Param, Path, Query
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.responses import Response

from perdure.kernel.values import Json

Read = Callable[[Request, Json], Awaitable[Any]]

UNNAMED: Final = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD, Parameter.POSITIONAL_ONLY)


class NotPlain(Exception):
    """The signature, or the request, is one that only FastAPI reads."""


class Part(NamedTuple):
    """A parameter of a function, and how its value is read."""

    name: str
    read: Read


def parts_of_route(endpoint: Callable[..., Any], path: Sequence[str]) -> tuple[Part, ...]:
    """How each parameter of a route is read; `path` are the names in its path. Raises `NotPlain`."""
    found = signature(endpoint, eval_str=True)
    answer = found.return_annotation
    if not (isinstance(answer, type) and issubclass(answer, Response)):
        raise NotPlain  # FastAPI makes an answer of anything else
    return _parts(found, path)


async def read_all(parts: Sequence[Part], request: Request, body: Json) -> dict[str, Any]:
    """The value of each parameter. Raises `NotPlain` where one does not fit, and what dependencies raise.

    `body` is what the body holds, or `None` for none.
    """
    try:
        return {part.name: await part.read(request, body) for part in parts}
    except ValidationError:
        raise NotPlain from None


def _parts(found: Signature, path: Sequence[str]) -> tuple[Part, ...]:
    return tuple(Part(it.name, _reader(it, path)) for it in found.parameters.values())


def _reader(parameter: Parameter, path: Sequence[str]) -> Read:
    kind, marks = _taken_apart(parameter.annotation)
    if kind is Request:
        return _itself
    if parameter.kind in UNNAMED or len(marks) > 1:
        raise NotPlain
    match marks:
        case [Depends(dependency=called)] if iscoroutinefunction(called):
            return _called(called, path)
        case [Header() as mark] if mark.alias is None and mark.convert_underscores:
            return _header(parameter)
        case [Path()] | [] if parameter.name in path:
            return _in_path(parameter)
        case [Query() as mark] if mark.alias is None and parameter.default is Parameter.empty:
            return _query(kind)
        case [] if parameter.default is Parameter.empty:
            return _body(kind)
        case _:
            raise NotPlain


def _taken_apart(annotation: Any) -> tuple[Any, list[Any]]:
    """The type, and those marks on it that say where the value is."""
    if get_origin(annotation) is not Annotated:
        return annotation, []
    kind, *marks = get_args(annotation)
    return kind, [it for it in marks if isinstance(it, Depends | Param | Body)]


async def _itself(request: Request, _body: Json) -> Any:
    return request


def _called(dependency: Callable[..., Any], path: Sequence[str]) -> Read:
    """The value of a dependency, with its own parameters read alike."""
    parts = _parts(signature(dependency, eval_str=True), path)

    async def read(request: Request, body: Json) -> Any:
        return await dependency(**await read_all(parts, request, body))

    return read


def _header(parameter: Parameter) -> Read:
    name, default = parameter.name.replace("_", "-"), parameter.default
    if default is Parameter.empty:
        raise NotPlain
    validated = _validated(parameter)

    async def read(request: Request, _body: Json) -> Any:
        sent = request.headers.get(name)
        return default if sent is None else validated(sent)

    return read


def _in_path(parameter: Parameter) -> Read:
    name, validated = parameter.name, _validated(parameter)

    async def read(request: Request, _body: Json) -> Any:
        return validated(request.path_params[name])

    return read


def _validated(parameter: Parameter) -> Callable[[Any], Any]:
    return TypeAdapter(parameter.annotation).validate_python


def _query(kind: Any) -> Read:
    """A model of the whole query. One with lists is FastAPI's, since only there may a name stand twice."""
    if not _is_model(kind) or any(_may_repeat(it.annotation) for it in kind.model_fields.values()):
        raise NotPlain

    async def read(request: Request, _body: Json) -> Any:
        sent = request.scope["query_string"].decode("latin-1")
        return kind.model_validate(dict(parse_qsl(sent, keep_blank_values=True)))

    return read


def _body(kind: Any) -> Read:
    if not _is_model(kind):
        raise NotPlain

    async def read(_request: Request, body: Json) -> Any:
        return kind.model_validate(body)

    return read


def single_of(dependant: Dependant) -> Iterator[str]:
    """The names in the query that have one value each, of all that FastAPI reads there for a route."""
    for field in dependant.query_params:
        kind, _ = _taken_apart(field.field_info.annotation)
        if _is_model(kind):
            for name, one in kind.model_fields.items():
                if not _may_repeat(one.annotation):
                    yield one.alias or name
        elif not _may_repeat(kind):
            yield field.alias
    for inner in dependant.dependencies:
        yield from single_of(inner)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _may_repeat(annotation: Any) -> bool:
    kinds = (annotation, *get_args(annotation))
    return any((get_origin(it) or it) in (list, tuple, set, frozenset, Sequence) for it in kinds)
