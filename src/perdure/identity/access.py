"""The one table of who may do what. What is not in the table is denied."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from perdure.errors import Forbidden, Unauthenticated
from perdure.identity.principal import Principal, Role

USER, ADMIN = Role.USER, Role.ADMIN


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may: any of `roles`. `audited` actions leave a line; `hidden` ones are not discovered.

    What is `public` is open also to those who show no credential.
    """

    roles: frozenset[Role]
    audited: bool = False
    hidden: bool = False
    public: bool = False


def rule(*roles: Role, audited: bool = False, hidden: bool = False, public: bool = False) -> Rule:
    """A rule for any of `roles`."""
    return Rule(frozenset(roles), audited, hidden, public)


RULES: Final[Mapping[str, Rule]] = {
    "me:read": rule(USER, ADMIN),
    "session:login": rule(USER, ADMIN, audited=True, public=True),
    "session:logout": rule(USER, ADMIN, audited=True),
    "run:start": rule(USER, ADMIN),
    "run:read": rule(USER, ADMIN),
    "command:send": rule(USER, ADMIN, audited=True),
    "command:read": rule(USER, ADMIN),
    "artifact:read": rule(USER, ADMIN),
    "discovery:read": rule(USER, ADMIN),
    "health:read": rule(USER, ADMIN, hidden=True, public=True),
    "site:read": rule(USER, ADMIN, hidden=True, public=True),
    "metrics:read": rule(ADMIN, hidden=True),
    "docs:read": rule(USER, ADMIN, hidden=True),
}

OPEN_ON_LOOPBACK: Final = frozenset({"docs:read", "metrics:read"})


def opened(rules: Mapping[str, Rule], actions: frozenset[str]) -> Mapping[str, Rule]:
    """The same table with `actions` public, for an address that only this machine reaches."""
    return {
        action: replace(one, public=True) if action in actions else one
        for action, one in rules.items()
    }


def allowed(action: str, principal: Principal | None, rules: Mapping[str, Rule]) -> bool:
    """Whether the principal, or nobody in particular, may do it."""
    one = rules.get(action)
    if one is None:
        return False
    return one.public or (principal is not None and bool(one.roles & principal.roles))


def check(action: str, principal: Principal | None, rules: Mapping[str, Rule]) -> None:
    """Let the principal do it, or raise what is needed and nothing of what exists.

    Raises `Unauthenticated` where nobody asks, else `Forbidden`.
    """
    if allowed(action, principal, rules):
        return
    if principal is None:
        raise Unauthenticated
    one = rules.get(action)
    needed = "nobody" if one is None else min(one.roles, key=list(Role).index).value
    raise Forbidden(
        "This needs another role.",
        reason_code=f"{needed}_required",
        required_role=needed,
        resource_class=action.partition(":")[0],
        action=action.partition(":")[2],
    )
