"""Users: the principal that each becomes, and where an admin's word goes."""

import pytest

from perdure.identity.credentials import local_admin
from perdure.identity.principal import Principal, Role
from perdure.identity.users import OVER_ALL, User, UserChange, is_over, is_over_all, principal_of
from perdure.ids import RuntimeId, TenantId, UserId

ACME, BETA = TenantId("acme"), TenantId("beta")


def a_principal(*roles: Role, scopes: tuple[str, ...] = ()) -> Principal:
    """Somebody of acme's."""
    user = User(ACME, UserId("u"), "", frozenset(roles), scopes, True, RuntimeId("r"), "", "")
    return principal_of(user, fingerprint="f", credential="token:t")


def test_promise_03_a_user_becomes_one_principal_of_what_is_kept_of_them() -> None:
    principal = a_principal(Role.USER, scopes=("run:read",))
    assert principal == Principal(
        ACME, UserId("u"), frozenset({Role.USER}), RuntimeId("r"), ACME, "user-registry", "f",
        ("run:read",), "token:t",
    )  # fmt: skip
    assert not principal.admin


@pytest.mark.parametrize(
    ("principal", "own", "other"),
    [
        (a_principal(Role.USER, scopes=(OVER_ALL,)), False, False),
        (a_principal(Role.ADMIN), True, False),
        (a_principal(Role.ADMIN, scopes=("*",)), True, False),
        (a_principal(Role.ADMIN, scopes=(OVER_ALL,)), True, True),
        (local_admin("f"), True, True),
    ],
)
def test_an_admins_word_goes_in_their_tenant(principal: Principal, own: bool, other: bool) -> None:
    assert (is_over(principal, ACME), is_over(principal, BETA)) == (own, other)
    assert is_over_all(principal) is other


def test_a_change_names_what_it_changes() -> None:
    assert UserChange().names == []
    assert not UserChange(email="a@b.c").ends_sessions
    change = UserChange(scopes=(), enabled=True)
    assert change.names == ["scopes", "enabled"]
    assert change.ends_sessions


def test_an_admin_is_told_by_their_role() -> None:
    user = User(ACME, UserId("u"), "", frozenset({Role.ADMIN}), (), True, RuntimeId("r"), "", "")
    assert user.admin
