"""Asks the person at the terminal what a run waits for, until the answer fits."""

import anyio

from perdure.app.answers import (
    Kind,
    Said,
    calls_of,
    choices_of,
    kind_of,
    payload_of,
)
from perdure.app.render import Screen, facts
from perdure.errors import Invalid
from perdure.kernel.values import Json

YES = frozenset({"y", "yes"})
NO = frozenset({"n", "no"})


async def ask(screen: Screen, run: Json, wait: Json) -> Json:
    """The payload that answers `wait`; `None` where the person ends the input instead."""
    screen.say(str(wait.get("prompt") or run["blocked_on"]["detail"]), "bold")
    screen.say(facts(calls_of(wait)))
    for number, choice in enumerate(choices_of(wait), 1):
        screen.say(f"  {number}  {choice}")
    while True:
        words = await _typed("approve? y/n > " if kind_of(wait) is Kind.APPROVAL else "> ")
        if words is None:
            return None
        try:
            return payload_of(wait, said(wait, words.strip()))
        except Invalid as error:
            screen.say(error.detail, "yellow")


def said(wait: Json, words: str) -> Said:
    """What typed words mean to a wait: a yes or no, a choice by number, or the text as it is."""
    if kind_of(wait) is Kind.APPROVAL:
        meant = {**dict.fromkeys(YES, True), **dict.fromkeys(NO, False)}
        return Said(approved=meant.get(words.casefold()))
    numbered = words.isdecimal() and 1 <= int(words) <= len(choices_of(wait))
    return Said(choice=words) if numbered else Said(text=words)


async def _typed(prompt: str) -> str | None:
    """A line from the terminal, read beside the loop so that Ctrl-C still ends the program."""
    try:
        return await anyio.to_thread.run_sync(input, prompt, abandon_on_cancel=True)
    except EOFError:
        return None
