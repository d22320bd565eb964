"""The one table of who may do what. What is not in the table is denied.

A rule asks for a role, and no scope stands for one. Scopes only take away: whoever has any is held
to what they name, `run:read`, or `run:*`, or `*`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

from perdure.errors import Forbidden, Unauthenticated
from perdure.identity.principal import Principal, Role
from perdure.identity.users import OVER_ALL, is_over_all

USER, ADMIN = Role.USER, Role.ADMIN
NOBODY: Final = "nobody"  # the role that what has no rule asks for
EVERYTHING: Final = "*"


class Recorded(StrEnum):
    """How an audited action comes on the record."""

    AROUND = "around"  # the intent before it happens, how it ended after
    AFTER = "after"  # once it was done; refusals that are alike are counted
    INSIDE = "inside"  # in the commit of the plane that it changes


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may: any of `roles`. `audited` actions leave a line; `hidden` ones are not discovered.

    What is `public` is open also to those who show no credential, and what is one's `own` to
    whoever has the role, whatever their scopes: it tells them who they are, and lets them go.
    What tells of all tenants at once is for those alone whose word is `over_all` of them.
    """

    roles: frozenset[Role]
    audited: bool = False
    hidden: bool = False
    public: bool = False
    own: bool = False
    over_all: bool = False
    recorded: Recorded = Recorded.AROUND  # what is not `audited` leaves only its refusals

    @property
    def needed(self) -> str:
        """The least role that may."""
        return min(self.roles, key=list(Role).index).value if self.roles else NOBODY


def rule(*roles: Role, recorded: Recorded = Recorded.AROUND, **marks: bool) -> Rule:
    """A rule for any of `roles`, with the marks of `Rule`."""
    return Rule(frozenset(roles), recorded=recorded, **marks)


RULES: Final[Mapping[str, Rule]] = {
    "me:read": rule(USER, ADMIN, own=True),
    "session:login": rule(USER, ADMIN, audited=True, public=True, recorded=Recorded.AFTER),
    "session:logout": rule(USER, ADMIN, audited=True, own=True),
    "session:read": rule(USER, ADMIN),
    "session:revoke": rule(USER, ADMIN, audited=True),
    "user:read": rule(ADMIN),
    "user:write": rule(ADMIN, audited=True),
    "user:inspect": rule(ADMIN, audited=True),
    "runtime:read": rule(ADMIN),
    "runtime:transfer": rule(ADMIN, audited=True),
    "runtime:purge": rule(ADMIN, audited=True),
    "token:read": rule(USER, ADMIN),
    "token:write": rule(USER, ADMIN, audited=True),
    "run:start": rule(USER, ADMIN, audited=True, recorded=Recorded.INSIDE),
    "run:read": rule(USER, ADMIN),
    "run:purge": rule(USER, ADMIN, audited=True, recorded=Recorded.INSIDE),
    "command:send": rule(USER, ADMIN, audited=True, recorded=Recorded.INSIDE),
    "command:read": rule(USER, ADMIN),
    "artifact:read": rule(USER, ADMIN),
    "artifact:write": rule(USER, ADMIN, audited=True, recorded=Recorded.INSIDE),
    "audit:read": rule(ADMIN),
    "audit:own": rule(USER, ADMIN),
    "discovery:read": rule(USER, ADMIN, own=True),
    "health:read": rule(USER, ADMIN, hidden=True, public=True),
    "site:read": rule(USER, ADMIN, hidden=True, public=True),
    "metrics:read": rule(ADMIN, hidden=True, over_all=True),
    "docs:read": rule(USER, ADMIN, hidden=True),
}

OPEN_ON_LOOPBACK: Final = frozenset({"docs:read", "metrics:read"})


def opened(rules: Mapping[str, Rule], actions: frozenset[str]) -> Mapping[str, Rule]:
    """The same table with `actions` public, for an address that only this machine reaches."""
    return {
        action: replace(one, public=True) if action in actions else one
        for action, one in rules.items()
    }


class Denied(NamedTuple):
    """Why not, in the words of a denial."""

    reason_code: str
    needed: Mapping[str, str]


def allowed(action: str, principal: Principal | None, rules: Mapping[str, Rule]) -> bool:
    """Whether the principal, or nobody in particular, may do it."""
    return denied(action, principal, rules) is None


def denied(action: str, principal: Principal | None, rules: Mapping[str, Rule]) -> Denied | None:
    """Why the principal may not do it, or `None` where they may."""
    one = rules.get(action)
    if one is None:
        return Denied(f"{NOBODY}_required", {"required_role": NOBODY})
    if one.public:
        return None
    if principal is None or not one.roles & principal.roles:
        return Denied(f"{one.needed}_required", {"required_role": one.needed})
    if one.over_all and not is_over_all(principal):
        return Denied("scope_required", {"required_scope": OVER_ALL})
    if one.own or in_scope(action, principal.scopes):
        return None
    return Denied("scope_required", {"required_scope": action})


def visible_to(principal: Principal, rules: Mapping[str, Rule]) -> list[str]:
    """The actions that the principal may do, but for the hidden ones."""
    return [
        action
        for action, one in sorted(rules.items())
        if not one.hidden and allowed(action, principal, rules)
    ]


def in_scope(action: str, scopes: Collection[str]) -> bool:
    """Whether scopes leave an action to whoever has the role for it; without any, all are left."""
    if not scopes or EVERYTHING in scopes or action in scopes:
        return True
    if f"{action.partition(':')[0]}:{EVERYTHING}" in scopes:
        return True
    return all(scope == OVER_ALL for scope in scopes)  # which adds tenants, and takes nothing away


def check(action: str, principal: Principal | None, rules: Mapping[str, Rule]) -> None:
    """Let the principal do it, or raise what is needed and nothing of what exists.

    Raises `Unauthenticated` where nobody asks, else `Forbidden`.
    """
    why = denied(action, principal, rules)
    if why is None:
        return
    if principal is None:
        raise Unauthenticated
    kind = "scope" if "required_scope" in why.needed else "role"
    resource_class, _, verb = action.partition(":")
    raise Forbidden(
        f"This needs another {kind}.",
        reason_code=why.reason_code,
        **why.needed,
        resource_class=resource_class,
        action=verb,
    )
