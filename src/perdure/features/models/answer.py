"""An answer while it comes in: text, reasoning and tool calls put together from their pieces."""

import json
from typing import Final, NamedTuple

from perdure.kernel.values import Json

_REPLACED: Final = "\ufffd"


class BadAnswer(Exception):
    """The answer is not what the protocol says. `told` holds the provider's own error, if it sent one."""

    def __init__(self, detail: str, told: Json = None) -> None:
        """Say what is wrong with it."""
        self.told = told
        super().__init__(detail)


class Said(NamedTuple):
    """A whole answer."""

    content: str
    reasoning: str
    tool_calls: list[dict[str, Json]]
    usage: dict[str, int | None]
    model: str | None
    finish_reason: str | None
    id: str | None


class Piece(NamedTuple):
    """What an event added."""

    kind: str  # text | reasoning
    text: str


def parsed(body: bytes | str) -> Json:
    """JSON out of what a provider sent, or `None`. Half surrogates pass: they may be joined later."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


class Answer:
    """The sum of the events so far. A whole answer is an answer in one event."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._text = {"text": _Text(), "reasoning": _Text()}
        self._calls: dict[int, _Call] = {}
        self._usage: dict[str, Json] = {}
        self._model: str | None = None
        self._id: str | None = None
        self.finish_reason: str | None = None

    def take(self, event: Json) -> list[Piece]:
        """Add an event, and say what it added to the text. Raises `BadAnswer`."""
        if not isinstance(event, dict):
            raise BadAnswer("an event is no JSON object")
        if event.get("error"):
            raise BadAnswer("the provider failed on its way", event)
        self._model = _word(event.get("model")) or self._model
        self._id = _word(event.get("id")) or self._id
        if isinstance(event.get("usage"), dict):
            self._usage = event["usage"]
        choices = event.get("choices")
        if not isinstance(choices, list) or not choices:
            return []
        return self._take_choice(choices[0])

    def _take_choice(self, choice: Json) -> list[Piece]:
        said = (choice.get("delta") or choice.get("message")) if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(said, dict | None):
            raise BadAnswer("a choice is no JSON object")
        self.finish_reason = _word(choice.get("finish_reason")) or self.finish_reason
        if not said:
            return []
        for position, call in enumerate(said.get("tool_calls") or ()):
            self._take_call(call, position)
        return self._take_text(said)

    def _take_text(self, said: dict[str, Json]) -> list[Piece]:
        reasoning = _text_in(said.get("reasoning_content") or said.get("reasoning"))
        pieces = [
            Piece("reasoning", self._text["reasoning"].add(reasoning)),
            Piece("text", self._text["text"].add(_text_in(said.get("content")))),
        ]
        return [piece for piece in pieces if piece.text]

    def _take_call(self, call: Json, position: int) -> None:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise BadAnswer("a tool call is no function")
        index = call.get("index")
        if not isinstance(
            index, int
        ):  # some servers send whole calls, one an event, without a number
            index = len(self._calls) if call.get("id") else position
        kept = self._calls.setdefault(index, _Call())
        kept.id = _word(call.get("id")) or kept.id
        kept.name = _word(function.get("name")) or kept.name
        arguments = function.get("arguments")
        if arguments is not None:
            kept.arguments.append(
                arguments if isinstance(arguments, str) else json.dumps(arguments)
            )

    def said(self) -> Said:
        """The whole answer."""
        return Said(
            content=self._text["text"].whole(),
            reasoning=self._text["reasoning"].whole(),
            tool_calls=[self._calls[index].said(index) for index in sorted(self._calls)],
            usage=usage_of(self._usage),
            model=self._model,
            finish_reason=self.finish_reason,
            id=self._id,
        )


class _Call:
    """A tool call whose arguments come in pieces of text."""

    def __init__(self) -> None:
        self.id: str = ""
        self.name: str = ""
        self.arguments: list[str] = []

    def said(self, index: int) -> dict[str, Json]:
        """The call. Arguments that are no JSON object stay the text that they are, for others to refuse."""
        text = clean("".join(self.arguments))
        arguments = parsed(text) if text.strip() else {}
        return {
            "name": clean(self.name),
            "arguments": arguments if isinstance(arguments, dict) else text,
            "call_id": clean(self.id) or f"call_{index}",
        }


class _Text:
    """Text in pieces, each a string that JSON can carry; a surrogate pair may come in two halves."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._half = ""

    def add(self, piece: str) -> str:
        text = self._half + piece
        self._half = text[-1] if text and "\ud800" <= text[-1] <= "\udbff" else ""
        whole = clean(text.removesuffix(self._half) if self._half else text)
        self._pieces.append(whole)
        return whole

    def whole(self) -> str:
        return "".join(self._pieces) + (_REPLACED if self._half else "")


def clean(text: str) -> str:
    """The text with what JSON cannot carry replaced: NUL, and halves of surrogate pairs."""
    if text.isascii():
        return text.replace("\x00", _REPLACED)
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", _REPLACED)


def usage_of(usage: dict[str, Json]) -> dict[str, int | None]:
    """Tokens under both of their names; `None` where the provider did not count."""
    tokens_in = _count(usage.get("prompt_tokens", usage.get("input_tokens")))
    tokens_out = _count(usage.get("completion_tokens", usage.get("output_tokens")))
    total = _count(usage.get("total_tokens"))
    if total is None and tokens_in is not None and tokens_out is not None:
        total = tokens_in + tokens_out
    return {
        "input_tokens": tokens_in, "output_tokens": tokens_out, "total_tokens": total,
        "prompt_tokens": tokens_in, "completion_tokens": tokens_out,
    }  # fmt: skip


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _word(value: Json) -> str | None:
    return clean(value) if isinstance(value, str) and value else None


def _text_in(content: Json) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
