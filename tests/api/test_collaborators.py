"""The rules are those of the registry, as the address has them; closing is said once to everybody."""

from typing import Any

import pytest

from perdure.api.collaborators import ApiSettings, Closing, Collaborators
from perdure.api.cookies import CookieNames
from perdure.errors import Invalid
from perdure.identity.access import RULES
from perdure.identity.credentials import SingleToken
from perdure.registry.registry import registry_of


def collaborators_of(**settings: Any) -> Collaborators:
    """What an application with these settings stands on."""

    async def open_runtime(_principal: object) -> Any:
        raise AssertionError("nothing is opened here")

    return Collaborators(
        registry_of([], RULES), open_runtime, SingleToken(["t"], b"k"), settings=ApiSettings(**settings)
    )  # fmt: skip


def test_pages_need_a_credential_unless_only_this_machine_reaches_them() -> None:
    assert not collaborators_of().rules_at_home["docs:read"].public
    opened = collaborators_of(on_loopback=True)
    assert opened.rules_at_home["docs:read"].public
    assert not opened.rules_at_home["run:read"].public
    assert not opened.rules["docs:read"].public


@pytest.mark.parametrize(
    "settings",
    [
        {"allowed_origins": ("*",)},
        {"allowed_origins": ("localhost:3000",)},
        {"proxy_addresses": ("banana",)},
        {"cookies": CookieNames(session="a b")},
        {"cookies": CookieNames(csrf_header="x\r\ny")},
        {"cookies": CookieNames(session="same", csrf="SAME")},
    ],
)
def test_settings_that_cannot_be_meant_are_refused_before_anybody_asks(
    settings: dict[str, Any],
) -> None:
    with pytest.raises(Invalid):
        ApiSettings(**settings)


def test_closing_is_told_to_whoever_still_listens() -> None:
    closing, told = Closing(), []
    closing.listen(lambda: told.append("first"))
    stop = closing.listen(lambda: told.append("second"))
    stop()
    assert not closing.said
    closing.close()
    closing.close()
    assert (closing.said, told) == (True, ["first", "first"])
