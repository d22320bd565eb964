"""A principal is an admin by its roles and by nothing else."""

from dataclasses import replace

from perdure.identity.credentials import local_admin
from perdure.identity.principal import Role


def test_an_admin_is_who_has_the_role() -> None:
    admin = local_admin("f")
    assert admin.admin
    assert not replace(admin, roles=frozenset({Role.USER}), scopes=("*",)).admin
