"""The table is closed: what is not in it is denied, a scope is no role, and scopes only take away."""

from dataclasses import replace

import pytest

from perdure.errors import Forbidden, Unauthenticated
from perdure.identity.access import (
    ADMIN,
    OPEN_ON_LOOPBACK,
    RULES,
    USER,
    allowed,
    check,
    denied,
    in_scope,
    opened,
    rule,
    visible_to,
)
from perdure.identity.credentials import local_admin
from perdure.identity.principal import Principal
from perdure.identity.users import OVER_ALL
from perdure.ids import TenantId

ADMIN_ONE = local_admin("f")
BOB = replace(ADMIN_ONE, roles=frozenset({USER}), scopes=("*",))
TABLE = {
    "thing:read": rule(USER, ADMIN), "thing:rule": rule(ADMIN), "page:read": rule(public=True),
    "me:read": rule(USER, ADMIN, own=True),
}  # fmt: skip


def with_scopes(*scopes: str) -> Principal:
    """Bob, with these scopes."""
    return replace(BOB, scopes=scopes)


def test_who_has_a_role_of_the_rule_may() -> None:
    check("thing:read", BOB, TABLE)
    check("thing:rule", ADMIN_ONE, TABLE)


@pytest.mark.parametrize("scope", ["*", "thing:*", "thing:rule", "admin", "role:admin", OVER_ALL])
def test_promise_68_a_broad_scope_is_no_role(scope: str) -> None:
    with pytest.raises(Forbidden) as refused:
        check("thing:rule", with_scopes(scope), TABLE)
    assert refused.value.facts == {
        "reason_code": "admin_required",
        "required_role": "admin",
        "resource_class": "thing",
        "action": "rule",
    }


def test_promise_68_every_action_of_admins_alone_refuses_a_user_with_every_scope() -> None:
    of_admins = [action for action, one in RULES.items() if one.roles == {ADMIN}]
    assert of_admins
    for action in of_admins:
        assert not allowed(action, BOB, RULES)
        assert allowed(action, ADMIN_ONE, RULES)


def test_promise_69_what_is_not_in_the_table_is_denied_to_everybody() -> None:
    with pytest.raises(Forbidden) as refused:
        check("thing:destroy", ADMIN_ONE, TABLE)
    assert refused.value.facts["reason_code"] == "nobody_required"
    assert not allowed("thing:destroy", ADMIN_ONE, TABLE)


def test_promise_70_a_denial_says_what_is_needed_and_nothing_of_what_exists() -> None:
    with pytest.raises(Forbidden) as refused:
        check("thing:read", with_scopes("run:*"), TABLE)
    assert refused.value.facts == {
        "reason_code": "scope_required",
        "required_scope": "thing:read",
        "resource_class": "thing",
        "action": "read",
    }


def test_scopes_only_take_away() -> None:
    for scopes in ((), ("*",), ("thing:*",), ("thing:read",), ("run:*", "thing:read"), (OVER_ALL,)):
        assert in_scope("thing:read", scopes)
    for scopes in (("run:*",), ("thing",), ("thing:readx",), ("th:*",), ("*:read",), ("",)):
        assert not in_scope("thing:read", scopes)


def test_scopes_hold_an_admin_as_well() -> None:
    held = replace(ADMIN_ONE, scopes=("thing:read",))
    check("thing:read", held, TABLE)
    assert not allowed("thing:rule", held, TABLE)


def test_what_is_one_s_own_needs_no_scope_but_the_role() -> None:
    check("me:read", with_scopes("run:read"), TABLE)
    assert not allowed("me:read", replace(BOB, roles=frozenset()), TABLE)


def test_what_is_shown_is_what_is_allowed_but_for_the_hidden() -> None:
    table = {**TABLE, "secret:read": rule(USER, hidden=True)}
    assert visible_to(BOB, table) == ["me:read", "page:read", "thing:read"]
    assert visible_to(with_scopes("run:*"), table) == ["me:read", "page:read"]


def test_nobody_in_particular_may_only_what_is_public() -> None:
    check("page:read", None, TABLE)
    with pytest.raises(Unauthenticated):
        check("thing:read", None, TABLE)
    with pytest.raises(Unauthenticated):
        check("thing:destroy", None, TABLE)


def test_promise_14_nobody_is_an_admin_of_anything() -> None:
    for action, one in RULES.items():
        assert allowed(action, None, RULES) is one.public
    closed = {action for action, one in RULES.items() if one.public}
    assert closed == {"session:login", "health:read", "site:read"}


def test_a_public_rule_without_roles_lets_principals_pass_too() -> None:
    assert allowed("page:read", BOB, TABLE)
    assert TABLE["page:read"].needed == "nobody"


def test_why_not_is_known_without_raising() -> None:
    assert denied("thing:read", BOB, TABLE) is None
    why = denied("thing:rule", None, TABLE)
    assert why is not None
    assert why.reason_code == "admin_required"


def test_loopback_opens_pages_and_metrics_and_nothing_else() -> None:
    before, after = RULES, opened(RULES, OPEN_ON_LOOPBACK)
    changed = {action for action in before if before[action] != after[action]}
    assert changed == {"docs:read", "metrics:read"}
    assert all(after[action].public for action in changed)


def test_what_counts_the_whole_server_is_for_admins_of_all_tenants() -> None:
    check("metrics:read", ADMIN_ONE, RULES)
    of_one = replace(ADMIN_ONE, tenant=TenantId("acme"), scopes=())
    check("metrics:read", replace(of_one, scopes=(OVER_ALL,)), RULES)
    check("metrics:read", replace(of_one, scopes=(OVER_ALL, "metrics:read")), RULES)
    for scopes in ((), ("*",), ("metrics:*",)):
        why = denied("metrics:read", replace(of_one, scopes=scopes), RULES)
        assert why == ("scope_required", {"required_scope": OVER_ALL})
    for scopes in (("*",), (OVER_ALL,)):
        why = denied("metrics:read", replace(of_one, roles=frozenset({USER}), scopes=scopes), RULES)
        assert why == ("admin_required", {"required_role": "admin"})
    narrow = replace(of_one, scopes=(OVER_ALL, "run:read"))
    assert denied("metrics:read", narrow, RULES) == ("scope_required", {"required_scope": "metrics:read"})  # fmt: skip
