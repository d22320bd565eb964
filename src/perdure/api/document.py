"""The document of the API: what FastAPI writes, with our problems, credentials and access table in it."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from perdure.api.callers import SAFE_METHODS
from perdure.api.collaborators import Collaborators
from perdure.api.schemas.problem import Problem
from perdure.identity.access import Rule
from perdure.identity.users import OVER_ALL

Security = list[dict[str, list[str]]]

BEARER: Final[Security] = [{"bearer": []}]
READING: Final[Security] = [*BEARER, {"session": []}, {"session_header": []}]
CHANGING: Final[Security] = [
    *BEARER, {"session": [], "csrf": []}, {"session_header": [], "csrf": []},
]  # fmt: skip


def document_of(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document of `app`. Each operation says its action, and which roles have it."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    collaborators: Collaborators = app.state.collaborators
    actions = app.state.actions
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas[Problem.__name__] = Problem.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _mend(operation)
            action = actions[method.upper(), path]
            rule, at_home = collaborators.rules[action], collaborators.rules_at_home[action]
            operation["security"] = _security(method.upper(), rule, at_home)
            operation["x-action"] = action
            operation["x-roles"] = sorted(role.value for role in rule.roles)
            if rule.over_all:
                operation["x-scope"] = OVER_ALL
    components["securitySchemes"] = _schemes(collaborators)
    document["security"] = BEARER
    return document


def _security(method: str, rule: Rule, at_home: Rule) -> Security:
    """What an operation asks for: nothing, one of several credentials, or none from this machine alone."""
    if rule.public:
        return []
    asked = READING if method in SAFE_METHODS else CHANGING
    return [{}, *asked] if at_home.public else asked


def _schemes(collaborators: Collaborators) -> dict[str, Any]:
    names = collaborators.settings.cookies

    def key(place: str, name: str) -> dict[str, str]:
        return {"type": "apiKey", "in": place, "name": name}

    return {
        "bearer": {"type": "http", "scheme": "bearer"},
        "session": key("cookie", names.session),
        "session_header": key("header", names.session_header),
        "csrf": key("header", names.csrf_header),
    }


def _mend(operation: dict[str, Any]) -> None:
    """Take out what FastAPI writes and is not so here.

    A parameter that is wrong is a 400, not a 422; and no parameter is `null`: it is there, or it is not.
    """
    for parameter in operation.get("parameters", []):
        kinds = parameter["schema"].pop("anyOf", [])
        parameter["schema"] |= next((it for it in kinds if it != {"type": "null"}), {})
    told = operation["responses"].get("422", {}).get("content", {}).get("application/json")
    if told and told.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
        del operation["responses"]["422"]
