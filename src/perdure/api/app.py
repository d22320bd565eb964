"""The application: routes, the gate before them, and the document that describes them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from fastapi import APIRouter, FastAPI

from perdure import __version__
from perdure.api import (
    artifacts,
    audit,
    commands,
    discovery,
    health,
    ledger,
    me,
    oversight,
    problems,
    retention,
    runs,
    sessions,
    site,
    tokens,
    users,
)
from perdure.api.callers import Callers
from perdure.api.collaborators import Collaborators
from perdure.api.contracts import absent_in
from perdure.api.document import document_of
from perdure.api.lockout import Lockout
from perdure.api.metrics import Meters
from perdure.api.middleware import Gate
from perdure.api.rechecks import Rechecks
from perdure.api.routing import StrictRoute
from perdure.api.sse import Frames
from perdure.registry.registry import Registry

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

ROUTERS: Final[Sequence[APIRouter]] = (
    runs.router, ledger.router, commands.router, artifacts.router, audit.router, me.router, sessions.router,
    tokens.router, users.router, retention.router, oversight.router, discovery.router, health.router, site.router,
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
    app.state.callers = callers = _callers(collaborators)
    app.state.rechecks = Rechecks(
        callers, collaborators.clock, collaborators.settings.recheck_s / 2
    )
    app.state.actions = actions
    app.state.absent = absent_in(actions)
    problems.register(app)
    app.add_middleware(
        Gate,
        collaborators=collaborators,
        callers=callers,
        public=_public(actions, collaborators),
        meters=Meters(collaborators.metrics),
    )
    return app


class Application(FastAPI):
    """FastAPI with a document that tells its problems as they are."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = document_of(self)
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


def _callers(collaborators: Collaborators) -> Callers:
    settings = collaborators.settings
    lockout = Lockout(
        collaborators.clock, settings.lockout_after, settings.lockout_base_s, settings.lockout_max_s
    )
    return Callers(collaborators.credentials, settings.cookies, lockout)


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
