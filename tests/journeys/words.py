"""The words of a plan of deeds: what a test wants a run to do, one after the other.

A word is a text, `kind[:argument][?options][*times]`, or an object with the words of a child or
of what is to happen side by side:

- `read`, `idempotent`, `once`: a deed of this class, done to the counter. With `?delay=0.1` the
  counter takes its time; with `?hang=1` it acts and never answers
- `echo:1000`: an effect that leaves this process nowhere, with so many letters
- `wait`: a question to a person; `event:name`: a wait for an event of the session
- `timer:0.05`: a wait for a time so many seconds ahead
- `grow:1000`: a pure move that writes a cell of so many letters
- `{"child": [word, …]}`, `{"parallel": [word, …]}`
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

DEEDS: Final = frozenset({"read", "idempotent", "once"})
_WORD: Final = re.compile(r"^([a-z]+)(?::([^?*]+))?(?:\?([^*]+))?(?:\*(\d+))?$")


class Word(NamedTuple):
    """One word of a plan. `of` holds the words of a child, or of what is side by side."""

    kind: str
    argument: str = ""
    options: str = ""
    times: int = 1
    of: tuple[Any, ...] = ()


class Deed(NamedTuple):
    """A deed that a plan names, by the name that the counter knows it under."""

    name: str
    word: Word


def word_of(said: Any) -> Word:
    """Read a word. Raises `ValueError`."""
    if isinstance(said, dict):
        ((kind, words),) = said.items()
        return Word(kind, of=tuple(words))
    match = _WORD.match(said)
    if match is None:
        raise ValueError(f"not a word: {said!r}")
    kind, argument, options, times = match.groups(default="")
    return Word(kind, argument, options, int(times or 1))


def name_of(label: str, at: int, turn: int) -> str:
    """The name of a deed: the run's label, the word's place, and which of its times or parts it is."""
    return f"{label}.{at}.{turn}"


def child_label(label: str, at: int) -> str:
    """The label of the child that the word at this place starts."""
    return f"{label}.{at}c"


def deeds_of(label: str, plan: Sequence[Any]) -> Iterator[Deed]:
    """Every deed of a plan and of its children."""
    for at, word in enumerate(map(word_of, plan)):
        if word.kind == "child":
            yield from deeds_of(child_label(label, at), word.of)
        elif word.kind == "parallel":
            for turn, part in enumerate(map(word_of, word.of)):
                if part.kind in DEEDS:
                    yield Deed(name_of(label, at, turn), part)
        elif word.kind in DEEDS:
            for turn in range(word.times):
                yield Deed(name_of(label, at, turn), word)
