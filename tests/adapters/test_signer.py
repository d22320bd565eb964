"""The mark on what a browser carries: made here, or worth nothing."""

import pytest

from perdure.adapters.signer import MarkSigner


def test_what_was_signed_here_is_known_again() -> None:
    signer = MarkSigner(b"key")
    signed = signer.sign("agws_secret")
    assert signed.startswith("agws_secret.")
    assert signer.unsign(signed) == MarkSigner(b"key").unsign(signed) == "agws_secret"


@pytest.mark.parametrize(
    "value", ["", ".", "agws_secret", "agws_secret.", "agws_secret.x", "ä.b", "\ud800"]
)
def test_promise_33_what_somebody_else_chose_is_not_taken(value: str) -> None:
    assert MarkSigner(b"key").unsign(value) is None


def test_another_installations_mark_is_none() -> None:
    signed = MarkSigner(b"key").sign("agws_secret")
    assert MarkSigner(b"other").unsign(signed) is None
    assert MarkSigner(b"key").unsign("agws_other" + signed.removeprefix("agws_secret")) is None
