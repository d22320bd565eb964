"""What requests leave on the record: acts of audited routes, and whatever was refused."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from perdure.errors import Forbidden, GatewayError, TooMany, Unauthenticated
from perdure.identity.access import Recorded, Rule
from perdure.identity.audit import DONE, Entry
from perdure.identity.principal import Principal
from perdure.runtimes.control import ControlContext
from perdure.services.audit import TEXT_MAX, Act, abroad, acting, entry_of, note, outcome_of
from perdure.services.denials import Denials

log: Final = structlog.get_logger("perdure.audit")

ENTER: Final = "gate:enter"  # the action of whoever is refused before a route is known
REFUSALS: Final = (Forbidden, Unauthenticated, TooMany)

Answering = Callable[[Request], Awaitable[Response]]


class Recorder:
    """Writes down what requests do and are refused."""

    def __init__(self, control: ControlContext, denials: Denials) -> None:
        """Write to the chains of `control`, and refusals by `denials`."""
        self._control, self._denials = control, denials

    async def refused(self, scope: Scope, action: str, raised: BaseException) -> None:
        """Write a refusal down. It is answered in any case, so a chain that fails is only logged."""
        _, reason_code = outcome_of(raised)
        entry = entry_about(scope, action)._replace(reason_code=reason_code)
        try:
            await self._denials.refused(entry)
        except GatewayError as failed:
            log.error("a refusal is not on the record", action=action, why=failed.detail)

    async def answered(
        self, request: Request, action: str, rule: Rule, answer: Answering
    ) -> Response:
        """Answer a request that passed its rule, with its act on the record as the rule says."""
        scope = request.scope
        if rule.audited and rule.recorded is Recorded.AROUND:
            async with acting(self._control, entry_about(scope, action)) as act:
                scope["state"]["act"] = act
                return await answer(request)
        if rule.audited:
            scope["state"]["act"] = Act(entry_about(scope, action))
        try:
            response = await answer(request)
        except REFUSALS as refused:
            await self.refused(scope, action, refused)
            raise
        if rule.audited and rule.recorded is Recorded.AFTER:
            await note(self._control, act_of(request).ended(DONE))
        return response


def act_of(request: Request) -> Act:
    """What the request is on the record with; a route says in it what that is about."""
    act: Act | None = request.scope.get("state", {}).get("act")
    return Act(entry_about(request.scope, "")) if act is None else act


def entry_about(scope: Scope, action: str) -> Entry:
    """An entry about a request: who asks, from where, under which id, and what its path names."""
    state: dict[str, Any] = scope.setdefault("state", {})
    principal: Principal | None = state.get("principal")
    visit = state.get("visit")
    address = visit.seen.address if visit is not None else (scope.get("client") or ("",))[0]
    entry = entry_of(principal, action, request_id=state.get("request_id", ""), address=address)
    named: Mapping[str, Any] = scope.get("path_params") or {}
    target = "/".join(str(value) for value in named.values())[:TEXT_MAX]
    return entry._replace(
        target=target, subject=_subject(scope, str(named.get("user_id", "")), entry)
    )


def _subject(scope: Scope, user_id: str, entry: Entry) -> str:
    """Whom a path names: one of the tenant that its query names, else of one's own."""
    if not user_id:
        return ""
    asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("tenant_id", [""])[0]
    if asked not in ("", entry.tenant):
        user_id = abroad(asked, user_id)
    return user_id[:TEXT_MAX]
