"""What a waiting run waits for, as a person is asked it, and the payload that their words become."""

import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from perdure.errors import Invalid, WaitMismatch
from perdure.kernel.values import Json


class Kind(StrEnum):
    """What would make a waiting run go on."""

    QUESTION = "question"
    APPROVAL = "approval"
    REVIEW = "review"
    EVENT = "event"
    PAUSE = "pause"
    OTHER = "other"  # a time, a child: nothing that a person could say


FOR_A_PERSON: Final = frozenset({Kind.QUESTION, Kind.APPROVAL, Kind.REVIEW})

# What can be said of an effect of which nobody knows whether it happened: word, label, payload.
REVIEWS: Final[Sequence[tuple[str, str, Json]]] = (
    ("happened", "it happened", {"resolution": "happened", "result": {}}),
    (
        "retry",
        "it did not happen: do it now",
        {"resolution": "did_not_happen", "then": "retry"},
    ),
    (
        "fail",
        "it did not happen: let the step fail",
        {"resolution": "did_not_happen", "then": "fail"},
    ),
)


class Said(NamedTuple):
    """The words of a person: at most one of them is given."""

    text: str | None = None
    choice: str | None = None
    approved: bool | None = None
    payload: Json = None


def kind_of(wait: Json) -> Kind:
    """What kind of wait this is, from a summary's `waiting` or a record's `result.wait`."""
    details = wait.get("details")
    details = details if isinstance(details, dict) else {}
    if details.get("kind") == "needs_review":
        return Kind.REVIEW
    if details.get("kind") == "pause":
        return Kind.PAUSE
    if details.get("mode") == "approval_required":
        return Kind.APPROVAL
    return {"user": Kind.QUESTION, "event": Kind.EVENT, "job": Kind.EVENT}.get(
        str(wait.get("reason")), Kind.OTHER
    )


def child_of(wait: Json) -> str | None:
    """The child that a run waits for."""
    details = wait.get("details")
    child = details.get("sub_run_id") if isinstance(details, dict) else None
    return str(child) if child else None


def choices_of(wait: Json) -> list[str]:
    """The answers to choose from, as a person reads them."""
    if kind_of(wait) is Kind.REVIEW:
        return [label for _, label, _ in REVIEWS]
    return [str(it) for it in wait.get("choices") or []]


def calls_of(wait: Json) -> list[tuple[str, str]]:
    """The tool calls that ask for approval: name and arguments."""
    details = wait.get("details") or {}
    calls = details.get("tool_calls") or []
    return [
        (str(it.get("name")), json.dumps(it.get("arguments"), ensure_ascii=False)) for it in calls
    ]


def payload_of(wait: Json, said: Said) -> Json:
    """What to send for what a person said. Raises `Invalid` for an answer that the wait does not take."""
    if said.payload is not None:
        return said.payload
    kind = kind_of(wait)
    if kind in _TAKES:
        return _TAKES[kind](wait, said)
    raise WaitMismatch(f"The run waits for {wait.get('reason')}, and no answer changes that.")


def _question(wait: Json, said: Said) -> Json:
    choices = choices_of(wait)
    words = said.choice if said.choice is not None else said.text
    if words is None or said.approved is not None:
        raise Invalid("The run asks a question: answer with a text, or with --choice.")
    chosen = _chosen(choices, words, by_number=said.choice is not None)
    if chosen is None and choices and not wait.get("allow_free_text"):
        raise Invalid(f"The answer has to be one of: {_numbered(choices)}.")
    if chosen is None and said.choice is not None:
        raise Invalid(f"There is no choice {words!r}. {_offered(choices)}")
    return {"response": words if chosen is None else choices[chosen]}


def _approval(wait: Json, said: Said) -> Json:
    if said.approved is None or said.choice is not None:
        raise Invalid("The run asks for approval: answer with --approve or --deny.")
    return {"approved": said.approved} | ({"reason": said.text} if said.text else {})


def _review(wait: Json, said: Said) -> Json:
    words = said.choice if said.choice is not None else said.text
    names = [name for name, _, _ in REVIEWS]
    chosen = None
    if words is not None:
        by_label = _chosen(choices_of(wait), words, by_number=True)
        chosen = names.index(words) if words in names else by_label
    if chosen is None:
        raise Invalid(
            f"Nobody knows whether the effect happened. Say --choice {', '.join(names[:-1])} or {names[-1]}."
        )
    return REVIEWS[chosen][2]


def _event(wait: Json, said: Said) -> Json:
    raise Invalid(
        f"The run waits for the event {wait.get('wait_key')}: give its contents with --payload-json."
    )


_TAKES: Final[Mapping[Kind, Callable[[Json, Said], Json]]] = {
    Kind.QUESTION: _question,
    Kind.APPROVAL: _approval,
    Kind.REVIEW: _review,
    Kind.EVENT: _event,
}


def _chosen(choices: Sequence[str], words: str, *, by_number: bool) -> int | None:
    """Which choice is meant: its text first, then its number, then its text in other capitals."""
    if words in choices:
        return choices.index(words)
    if by_number and words.isdecimal() and 1 <= int(words) <= len(choices):
        return int(words) - 1
    folded = [it.casefold() for it in choices]
    return folded.index(words.casefold()) if words.casefold() in folded else None


def _numbered(choices: Sequence[str]) -> str:
    return ", ".join(f"{number} {it}" for number, it in enumerate(choices, 1))


def _offered(choices: Sequence[str]) -> str:
    return (
        f"There are: {_numbered(choices)}." if choices else "The question has none to choose from."
    )
