"""The one table of who may do what. What is not in the table is denied."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from perdure.errors import Forbidden
from perdure.identity.principal import Principal, Role

USER, ADMIN = Role.USER, Role.ADMIN


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may: any of `roles`. `audited` actions leave a line; `hidden` ones are not discovered."""

    roles: frozenset[Role]
    audited: bool = False
    hidden: bool = False


def _rule(*roles: Role, audited: bool = False, hidden: bool = False) -> Rule:
    return Rule(frozenset(roles), audited, hidden)


RULES: Final[Mapping[str, Rule]] = {
    "me:read": _rule(USER, ADMIN),
    "run:start": _rule(USER, ADMIN),
    "run:read": _rule(USER, ADMIN),
    "command:send": _rule(USER, ADMIN, audited=True),
    "command:read": _rule(USER, ADMIN),
    "artifact:read": _rule(USER, ADMIN),
    "discovery:read": _rule(USER, ADMIN),
    "metrics:read": _rule(ADMIN, hidden=True),
    "docs:read": _rule(USER, ADMIN, hidden=True),
}


def check(action: str, principal: Principal, rules: Mapping[str, Rule]) -> None:
    """Let the principal do it, or raise `Forbidden` with what is needed and nothing of what exists."""
    rule = rules.get(action)
    if rule is not None and rule.roles & principal.roles:
        return
    needed = "nobody" if rule is None else min(rule.roles, key=list(Role).index).value
    raise Forbidden(
        "this needs another role",
        reason_code=f"{needed}_required",
        required_role=needed,
        resource_class=action.partition(":")[0],
        action=action.partition(":")[2],
    )
