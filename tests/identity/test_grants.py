"""Nobody gives more than they have."""

import pytest

from perdure.identity.credentials import local_admin
from perdure.identity.grants import covers
from perdure.identity.users import OVER_ALL
from tests.support.control import ACME, an_admin


@pytest.mark.parametrize(
    ("own", "given", "covered"),
    [
        ((), (), True), ((), ("run:read",), True), ((), ("*",), True), ((), (OVER_ALL,), False),
        (("*",), (), True), (("*",), (OVER_ALL,), False),
        ((OVER_ALL,), (OVER_ALL,), True), ((OVER_ALL,), (), True), ((OVER_ALL,), ("user:write",), True),
        (("user:write",), (), False), (("user:write",), ("*",), False),
        (("user:write",), ("user:write",), True), (("user:write",), ("user:read",), False),
        (("user:*",), ("user:read", "user:write"), True), (("user:*",), ("user:read", "run:read"), False),
        (("user:*", OVER_ALL), (OVER_ALL,), False), (("user:*", OVER_ALL), (OVER_ALL, "user:read"), True),
    ],
)  # fmt: skip
def test_an_admin_gives_at_most_what_they_have(
    own: tuple[str, ...], given: tuple[str, ...], covered: bool
) -> None:
    assert covers(an_admin(ACME, *own), given) is covered


def test_the_installation_itself_gives_everything() -> None:
    assert covers(local_admin("f"), (OVER_ALL,))
