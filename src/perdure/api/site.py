"""`/`, `/console`, `/docs`, `/openapi.json`, `/problems`: the pages of the server itself."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import HTMLResponse, Response

from perdure.api.deps import require
from perdure.api.problems import kinds
from perdure.api.routing import answers, json_of, refusals, resource
from perdure.api.schemas.fields import JsonObject, NamePath
from perdure.errors import NotFound

# What a page may load and send is named; what is not named it may not, inline code least of all.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
TYPES: Final[Mapping[str, str]] = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}
PAGES: Final[Mapping[str, bytes]] = {
    page.name: page.read_bytes()
    for page in sorted(files("perdure.api").joinpath("pages").iterdir(), key=lambda it: it.name)
    if page.name.rpartition(".")[2] in TYPES
}

router = resource("site", "")


class ProblemKind(BaseModel):
    """A kind of problem that answers can name."""

    code: str
    status: int
    title: str
    retryable: bool


class ProblemKinds(BaseModel):
    """Every kind of problem."""

    items: list[ProblemKind]


def page(name: str) -> Response:
    """A page of the server, as it came with the program. Raises `NotFound`."""
    content = PAGES.get(name)
    if content is None:
        raise NotFound("There is no such page.")
    headers = {
        "content-type": TYPES[name.rpartition(".")[2]],
        "content-security-policy": POLICY,
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
    return Response(content, headers=headers)


@router.get(
    "/",
    dependencies=[require("site:read")],
    responses=refusals(),
    response_class=HTMLResponse,
)
async def read_home() -> Response:
    """Show what the server is, and where to go from here."""
    return page("index.html")


@router.get(
    "/console",
    dependencies=[require("site:read")],
    responses=refusals(),
    response_class=HTMLResponse,
)
async def read_console() -> Response:
    """Show the same."""
    return page("index.html")


@router.get(
    "/pages/{name}",
    dependencies=[require("site:read")],
    responses=refusals(404),
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def read_page(name: NamePath) -> Response:
    """Give a part of a page."""
    return page(name)


@router.get("/problems", dependencies=[require("site:read")], responses=answers(ProblemKinds))
async def list_problems() -> Response:
    """List every kind of problem that an answer can name."""
    return json_of({"items": [kind._asdict() for kind in kinds()]})


@router.get(
    "/problems/{code}",
    dependencies=[require("site:read")],
    responses=answers(ProblemKind, 404),
)
async def read_problem(code: NamePath) -> Response:
    """Explain a kind of problem: this is where the `type` of a problem leads."""
    return json_of(_kind(code))


@router.get(
    "/docs",
    dependencies=[require("docs:read")],
    responses=refusals(),
    response_class=HTMLResponse,
)
async def read_docs() -> Response:
    """Show every operation of the API."""
    return page("docs.html")


@router.get(
    "/openapi.json",
    dependencies=[require("docs:read")],
    responses=refusals(),
    include_in_schema=False,
)
async def read_openapi(request: Request) -> Response:
    """Give the OpenAPI document."""
    return json_of(request.app.openapi())


def _kind(code: str) -> JsonObject:
    found = next((kind for kind in kinds() if kind.code == code), None)
    if found is None:
        raise NotFound("There is no such kind of problem.")
    return found._asdict()
