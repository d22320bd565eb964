"""Answers, and when two of them are the same for whoever is told them."""

import re
from collections.abc import Callable, Iterable
from functools import partial
from secrets import choice
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import orjson

from perdure.ids import new_id

PER_REQUEST: Final = frozenset({"date", "x-request-id"})  # headers that no two answers share
CHANGED: Final = (
    3  # letters at the end of an id that make another one of it, next to it in any order
)
HEADER_LETTERS_MIN: Final = (
    8  # of an id that is looked for in headers: a shorter one is a word like others
)
SHOWN: Final = 300  # letters of an answer that a finding repeats
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INSTANCE: Final = re.compile(r'"instance":"[^"]*"')
# What is new in each answer that tells of something new.
_FRESH: Final = (
    (_UUID, "<uuid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)"), "<time>"),
    (re.compile(r"agw_[\w-]{60}"), "<token>"),
    (
        re.compile(r'"(fingerprint|token_fingerprint|signature|hash|sha256)":"[0-9a-f]*"'),
        r'"\1":"<hash>"',
    ),
    (re.compile(r'"(last_used_at|last_seen_at)":(?:null|"[^"]*")'), r'"\1":"<time>"'),
    (re.compile(r'"id":"[0-9a-f]{8}"'), '"id":"<drawing>"'),
    (re.compile(r'"known":\{"id":"[\w-]{16}"'), '"known":{"id":"<token>"'),
    (re.compile(r"(abstractgateway_session|abstractgateway_csrf)=[^;]*"), r"\1=<secret>"),
)
_HEX: Final = "abcdef"


class Answer(NamedTuple):
    """What was answered: of a stream that began, its beginning alone."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def refused(self) -> bool:
        """Whether it is a refusal."""
        return self.status >= 400

    @property
    def request_id(self) -> str:
        """The id of the request, which the log knows."""
        return dict(self.headers).get("x-request-id", "")

    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


def told(answer: Answer, said: Iterable[str] = (), grows: Iterable[str] = ()) -> Answer:
    """The answer without what was said, the request's own id and the date; of a success also without what is new."""
    headers = tuple(
        sorted((name, value) for name, value in answer.headers if name not in PER_REQUEST)
    )
    masked = Answer(answer.status, headers, _INSTANCE.sub('"instance":"<request>"', answer.body))
    for text in said:
        masked = masked._replace(body=_without(masked.body, text))
        if len(text) >= HEADER_LETTERS_MIN:
            masked = _over(masked, partial(_without, said=text))
    return masked if answer.refused else _fresh(masked, grows)


def _fresh(answer: Answer, grows: Iterable[str]) -> Answer:
    """A success without what is new in it, and without the lists that grow by it."""
    body, length = answer.body, {"content-length"}
    for part in grows:
        found = orjson.loads(body)
        found.pop(part, None)
        body = orjson.dumps(found).decode()
    headers = tuple((name, value) for name, value in answer.headers if name not in length)
    return _over(Answer(answer.status, headers, body), _anew)


def _anew(text: str) -> str:
    for pattern, mask in _FRESH:
        text = pattern.sub(mask, text)
    return text


def _without(text: str, said: str) -> str:
    """A text without an id, in the spellings that an answer may have it."""
    for spelling in {said, quote(said, safe=""), orjson.dumps(said).decode()[1:-1]}:
        text = text.replace(spelling, "<asked>")
    return text


def _over(answer: Answer, change: Callable[[str], str]) -> Answer:
    headers = tuple((name, change(value)) for name, value in answer.headers)
    return Answer(answer.status, headers, change(answer.body))


def difference(one: Answer, other: Answer) -> str | None:
    """What tells two answers apart, or `None` where nothing does."""
    if one.status != other.status:
        return f"{one.status} instead of {other.status}: {_short(one.body)}"
    apart = sorted(set(one.headers) ^ set(other.headers))
    if apart:
        return f"other headers: {apart[:4]}"
    if one.body != other.body:
        at = next((i for i, (a, b) in enumerate(zip(one.body, other.body, strict=False)) if a != b), 0)  # fmt: skip
        return f"{_short(one.body[max(0, at - 60) :])} instead of {_short(other.body[max(0, at - 60) :])}"
    return None


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def like(text: str) -> str:
    """An id of the same length and look that nothing has, and that a list would have at the same place."""
    if _UUID.fullmatch(text):
        return new_id()
    plain = [at for at, letter in enumerate(text) if letter.isascii() and letter.isalnum()]
    hexadecimal = all(text[at] in digits + _HEX for at in plain)
    letters = list(text)
    for at in plain[-CHANGED:]:
        letters[at] = _another(letters[at], hexadecimal=hexadecimal)
    return "".join(letters)


def _another(letter: str, *, hexadecimal: bool) -> str:
    """Another letter of the same class."""
    if letter in digits:
        alphabet = digits[1:]
    elif letter in ascii_uppercase:
        alphabet = ascii_uppercase
    else:
        alphabet = _HEX if hexadecimal else ascii_lowercase
    return choice([it for it in alphabet if it != letter])
