"""A person is asked until the answer fits; ending the input answers nothing."""

import io
from collections.abc import Iterator

import pytest

from perdure.app import asking
from perdure.app.answers import Said
from perdure.app.asking import ask, said
from perdure.app.render import Screen, console
from perdure.kernel.values import Json
from tests.app.test_answers import APPROVAL, FREE, REVIEW
from tests.support.scripted_gateway import question, waits

pytestmark = pytest.mark.anyio


async def asked(wait: Json, *words: str | None, monkeypatch: pytest.MonkeyPatch) -> tuple[Json, str]:  # fmt: skip
    typed: Iterator[str | None] = iter(words)

    async def next_words(prompt: str) -> str | None:
        return next(typed)

    monkeypatch.setattr(asking, "_typed", next_words)
    paper = io.StringIO()
    on = console(file=paper)
    payload = await ask(Screen(on, on), waits("r1", wait), wait)
    return payload, paper.getvalue()


async def test_the_question_and_its_choices_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    payload, shown = await asked(question(), "2", monkeypatch=monkeypatch)
    assert payload == {"response": "no"}
    assert "Really?\n" in shown
    assert "  1  yes\n  2  no\n" in shown


async def test_what_does_not_fit_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    payload, shown = await asked(question(), "perhaps", " yes ", monkeypatch=monkeypatch)
    assert payload == {"response": "yes"}
    assert "The answer has to be one of: 1 yes, 2 no." in shown


async def test_the_end_of_input_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    payload, _ = await asked(question(), None, monkeypatch=monkeypatch)
    assert payload is None


async def test_an_approval_shows_the_calls_and_needs_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    payload, shown = await asked(APPROVAL, "", "sure", "Y", monkeypatch=monkeypatch)
    assert payload == {"approved": True}
    assert 'write_file  {"path": "a"}' in shown


@pytest.mark.parametrize(
    ("wait", "words", "meant"),
    [
        (question(), "2", Said(choice="2")),
        (question(), "3", Said(text="3")),
        (FREE, "2", Said(text="2")),
        (REVIEW, "1", Said(choice="1")),
        (REVIEW, "retry", Said(text="retry")),
        (APPROVAL, "no", Said(approved=False)),
        (APPROVAL, "true", Said(approved=None)),
    ],
)
async def test_typed_words_mean_what_the_wait_asks_for(wait: Json, words: str, meant: Said) -> None:
    assert said(wait, words) == meant
