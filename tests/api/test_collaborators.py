"""The rules are those of the registry, as the address has them; closing is said once to everybody."""

from typing import Any

from perdure.api.collaborators import ApiSettings, Closing, Collaborators
from perdure.identity.access import RULES
from perdure.identity.credentials import SingleToken
from perdure.registry.registry import registry_of


def rules_of(**settings: Any) -> Any:
    """The rules of an application with these settings."""

    async def open_runtime(_principal: object) -> Any:
        raise AssertionError("nothing is opened here")

    collaborators = Collaborators(
        registry_of([], RULES), open_runtime, SingleToken(["t"], b"k"), settings=ApiSettings(**settings)
    )  # fmt: skip
    return collaborators.rules


def test_pages_need_a_credential_unless_only_this_machine_reaches_them() -> None:
    assert not rules_of()["docs:read"].public
    assert rules_of(on_loopback=True)["docs:read"].public
    assert not rules_of(on_loopback=True)["run:read"].public


def test_closing_is_told_to_whoever_still_listens() -> None:
    closing, told = Closing(), []
    closing.listen(lambda: told.append("first"))
    stop = closing.listen(lambda: told.append("second"))
    stop()
    assert not closing.said
    closing.close()
    closing.close()
    assert (closing.said, told) == (True, ["first", "first"])
