"""Ids of tenants, users and runtimes: what is one, and which two look alike."""

import pytest

from perdure.errors import Unfit
from perdure.identity.names import likeness_of, runtime_id_of, tenant_id_of, user_id_of


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("alice", "alice"), ("Alice.B_c-9@x", "Alice.B_c-9@x"), ("bo b", "bo_b"), ("a/../b", "a_.._b"),
        ("..alice..", "alice"), ("__a__", "a"), ("-a-", "-a-"), ("a" * 128, "a" * 128),
    ],
)  # fmt: skip
def test_other_letters_become_lines_and_the_ends_are_left_out(text: str, id: str) -> None:
    assert (user_id_of(text), runtime_id_of(text)) == (id, id)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "___", "/", "a" * 129, "аlice", "ａlice", "alice\u200b", "ﬁn"]
)
def test_what_is_no_name_or_looks_like_another_is_refused(text: str) -> None:
    for read in (user_id_of, runtime_id_of):
        with pytest.raises(Unfit):
            read(text)


@pytest.mark.parametrize("text", ["acme", "a", "a.b", "9-x_y@z", "a" * 128])
def test_a_tenant_is_named_in_small_letters(text: str) -> None:
    assert tenant_id_of(text) == text


@pytest.mark.parametrize(
    "text", ["", "Acme", "a b", ".a", "a.", "..", "a/b", "local", "a\n", "a" * 129, "ä"]
)
def test_nothing_is_made_of_what_is_no_tenant(text: str) -> None:
    with pytest.raises(Unfit):
        tenant_id_of(text)


def test_names_that_look_alike_have_one_likeness() -> None:
    assert likeness_of("Alice") == likeness_of("aLICE") == likeness_of("ａlice")
    assert likeness_of("alice") != likeness_of("alise")
