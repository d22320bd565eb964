"""The table is closed: what is not in it is denied, and a scope is no role."""

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
    opened,
    rule,
)
from perdure.identity.credentials import local_admin

BOB = replace(local_admin("f"), roles=frozenset({USER}), scopes=("*",))
TABLE = {"thing:read": rule(USER, ADMIN), "thing:rule": rule(ADMIN), "page:read": rule(public=True)}


def test_who_has_a_role_of_the_rule_may() -> None:
    check("thing:read", BOB, TABLE)
    check("thing:rule", local_admin("f"), TABLE)


def test_a_broad_scope_is_no_role() -> None:
    with pytest.raises(Forbidden) as denied:
        check("thing:rule", BOB, TABLE)
    assert denied.value.facts == {
        "reason_code": "admin_required",
        "required_role": "admin",
        "resource_class": "thing",
        "action": "rule",
    }


def test_what_is_not_in_the_table_is_denied_to_everybody() -> None:
    with pytest.raises(Forbidden) as denied:
        check("thing:destroy", local_admin("f"), TABLE)
    assert denied.value.facts["reason_code"] == "nobody_required"
    assert not allowed("thing:destroy", local_admin("f"), TABLE)


def test_nobody_in_particular_may_only_what_is_public() -> None:
    check("page:read", None, TABLE)
    with pytest.raises(Unauthenticated):
        check("thing:read", None, TABLE)
    with pytest.raises(Unauthenticated):
        check("thing:destroy", None, TABLE)


def test_a_public_rule_without_roles_lets_principals_pass_too() -> None:
    assert allowed("page:read", BOB, TABLE)


def test_loopback_opens_pages_and_metrics_and_nothing_else() -> None:
    before, after = RULES, opened(RULES, OPEN_ON_LOOPBACK)
    changed = {action for action in before if before[action] != after[action]}
    assert changed == {"docs:read", "metrics:read"}
    assert all(after[action].public for action in changed)


def test_metrics_are_for_admins() -> None:
    with pytest.raises(Forbidden):
        check("metrics:read", BOB, RULES)
