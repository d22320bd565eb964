"""New ids are unique and ordered by time; derived ids follow from what they are derived from."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from perdure.ids import RunId, derived_id, is_run_id, new_id, new_secret, new_token_id, step_id_of

TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x1f"))


def test_a_new_id_is_a_uuid_of_version_7() -> None:
    assert UUID(new_id()).version == 7


def test_new_ids_differ_and_sort_by_their_time_of_making() -> None:
    made = [new_id() for _ in range(10_000)]
    assert len(set(made)) == len(made)
    assert made == sorted(made)


@given(st.lists(TEXTS, min_size=1))
def test_the_same_parts_give_the_same_id_shaped_as_a_uuid(parts: list[str]) -> None:
    assert derived_id(*parts) == derived_id(*parts) == str(UUID(derived_id(*parts)))


@given(st.lists(TEXTS, min_size=1), st.lists(TEXTS, min_size=1))
def test_other_parts_give_another_id(one: list[str], other: list[str]) -> None:
    assert (derived_id(*one) == derived_id(*other)) == (one == other)


def test_the_steps_of_runs_have_ids_of_their_own_shaped_as_uuids() -> None:
    runs = [RunId(new_id()) for _ in range(100)]
    made = [step_id_of(run, seq) for run in runs for seq in (1, 2, 1_000_000)]
    assert len({*made, *runs}) == len(made) + len(runs)
    assert all(str(UUID(one)) == one for one in made)
    assert step_id_of(runs[0], 2) == step_id_of(runs[0], 2)


def test_secrets_and_the_ids_of_tokens_are_chance_that_a_url_takes() -> None:
    for make, letters in ((new_secret, 43), (new_token_id, 16)):
        made = {make() for _ in range(1_000)}
        assert len(made) == 1_000
        assert {len(it) for it in made} == {letters}
        assert all(it.replace("-", "a").replace("_", "a").isalnum() for it in made)


def test_the_ids_that_are_made_here_are_told_from_anything_else() -> None:
    made = new_id()
    assert is_run_id(made)
    assert is_run_id(derived_id("a"))
    assert not any(
        map(is_run_id, ["", "..", made + "/..", made + "\n", made.upper(), made[:-1], 1, None])
    )
