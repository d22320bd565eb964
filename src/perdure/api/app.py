"""The application: routes, the gate before them, and the document that describes them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from perdure import __version__
from perdure.api import (
    artifacts,
    commands,
    discovery,
    health,
    ledger,
    me,
    problems,
    runs,
    site,
)
from perdure.api.collaborators import Collaborators
from perdure.api.contracts import absent_in
from perdure.api.metrics import Meters
from perdure.api.middleware import Gate
from perdure.api.routing import StrictRoute
from perdure.api.schemas.problem import Problem
from perdure.api.sse import Frames
from perdure.registry.registry import Registry

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

ROUTERS: Final[Sequence[APIRouter]] = (
    runs.router, ledger.router, commands.router, artifacts.router, me.router, discovery.router,
    health.router, site.router,
)  # fmt: skip
DESCRIPTION: Final = "A gateway-first control plane for durable AI agents and flows."


def create_app(collaborators: Collaborators, lifespan: Lifespan | None = None) -> FastAPI:
    """The application over `collaborators`, with the routes of every feature.

    Raises `ValueError` where a route names no action, or one that the access table does not have.
    """
    app = Application(
        title="Perdure", version=__version__, description=DESCRIPTION, openapi_url=None, docs_url=None,
        redoc_url=None, redirect_slashes=False, lifespan=lifespan,
    )  # fmt: skip
    for router in (*ROUTERS, *_routers_of(collaborators.registry)):
        app.router.routes.extend(
            router.routes
        )  # each has its whole path; one flat list is looked at
    actions = actions_of(app)
    _check(actions, collaborators)
    app.state.collaborators = collaborators
    app.state.frames = Frames()
    app.state.actions = actions
    app.state.absent = absent_in(actions)
    problems.register(app)
    app.add_middleware(
        Gate,
        collaborators=collaborators,
        public=_public(actions, collaborators),
        meters=Meters(collaborators.metrics),
    )
    return app


class Application(FastAPI):
    """FastAPI with a document that tells its problems as they are."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = _document(self)
        return self.openapi_schema


def actions_of(app: FastAPI) -> dict[tuple[str, str], str]:
    """The action of each route, by method and path."""
    return {
        (method, route.path): route.required.action
        for route in routes_of(app)
        for method in route.methods or ()
    }


def routes_of(app: FastAPI) -> Iterator[StrictRoute]:
    """Every route of the application. Raises `ValueError` for one of another kind: it may name no action."""
    for route in app.routes:
        if not isinstance(route, StrictRoute):
            raise ValueError(f"{route} is a route that names no action")
        yield route


def _check(actions: Mapping[tuple[str, str], str], collaborators: Collaborators) -> None:
    for (method, path), action in actions.items():
        if action not in collaborators.rules:
            raise ValueError(f"{method} {path} names {action!r}, which the access table lacks")


def _public(actions: Mapping[tuple[str, str], str], collaborators: Collaborators) -> frozenset[str]:
    return frozenset(
        path for (_, path), action in actions.items() if collaborators.rules[action].public
    )


def _routers_of(registry: Registry) -> Iterator[APIRouter]:
    for feature in registry.features:
        for router in feature.routers:
            assert isinstance(router, APIRouter), (
                f"{feature.name} brings something else than routes"
            )
            yield router


def _document(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, with problems in the place of its own form of errors."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    rules, actions = app.state.collaborators.rules, app.state.actions
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas[Problem.__name__] = Problem.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _mend(operation)
            if rules[actions[method.upper(), path]].public:
                operation["security"] = []
    document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"bearer": []}]
    return document


def _mend(operation: dict[str, Any]) -> None:
    """Take out the 422 that FastAPI writes wherever there is a parameter: here that is a 400."""
    told = operation["responses"].get("422", {}).get("content", {}).get("application/json")
    if told and told.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
        del operation["responses"]["422"]
