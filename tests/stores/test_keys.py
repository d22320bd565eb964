"""What is promised of a signer: it knows its own marks again, and nobody else's."""

import pytest

from perdure.adapters.signer import MarkSigner
from perdure.stores.keys import Signer


@pytest.fixture
def signer() -> Signer:
    """The signer of one installation."""
    return MarkSigner(b"a key of a test")


def test_a_value_comes_back_from_what_was_signed(signer: Signer) -> None:
    for value in ("agws_secret", "with.dots.in.it", ""):
        assert signer.unsign(signer.sign(value)) == value


def test_a_mark_is_of_one_value_and_one_installation(signer: Signer) -> None:
    mark = signer.sign("one").removeprefix("one")
    assert signer.unsign(f"two{mark}") is None
    assert MarkSigner(b"another key").unsign(f"one{mark}") is None
