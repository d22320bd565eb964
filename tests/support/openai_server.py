"""A real server that speaks the OpenAI chat protocol: scripted answers, a counter, and every way to fail.

In a test: `with OpenAiServer(answers=[Answer("hello")]) as server: … server.base_url`.
As a process: `python -m tests.support.openai_server --port 0`, which prints its address as a line
of JSON; `POST /script` takes a list of answers, `GET /calls` tells what was asked.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from tests.support.loopback import Call, Exchange, Loopback

MODEL = "scripted-1"


@dataclass(frozen=True)
class Answer:
    """What the server says to one request.

    `tool_calls` are (name, arguments, id). With `cut_after` the connection breaks after so many
    pieces of a stream; `malformed` sends what is no JSON.
    """

    content: str | None = None
    reasoning: str = ""
    tool_calls: Sequence[tuple[str, Any, str]] = ()
    finish_reason: str | None = None
    usage: bool = True
    status: int = 200
    error_code: str = "failed"
    error: str = "it failed"
    retry_after: str | None = None
    cut_after: int | None = None
    delay_s: float = 0.0
    piece_delay_s: float = 0.0
    malformed: bool = False
    never: bool = False  # accept the request and answer nothing
    whole: bool = False  # answer without a stream, though one was asked for


@dataclass
class OpenAiServer:
    """The server. Answers are given in order, and when they are spent: `answer <number of the call>`."""

    answers: Sequence[Answer] = ()
    port: int = 0
    api_key: str | None = None
    models: Sequence[str] = (MODEL,)
    requests: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._script = list(self.answers)
        self._web = Loopback(self._respond, self.port)

    def __enter__(self) -> Self:
        self._web.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._web.__exit__()

    @property
    def base_url(self) -> str:
        """What a client is configured with."""
        return f"{self._web.url}/v1"

    @property
    def url(self) -> str:
        """Where the server listens."""
        return self._web.url

    @property
    def counter(self) -> int:
        """How many chat requests came."""
        with self._lock:
            return len(self.requests)

    def until_asked(self) -> None:
        """Wait until the first chat request has come."""
        ends = time.monotonic() + 30
        while not self.counter:
            assert time.monotonic() < ends, "nobody asks"
            time.sleep(0.01)

    def say(self, *answers: Answer) -> None:
        """Answer so from now on."""
        with self._lock:
            self._script = list(answers)

    @property
    def calls(self) -> list[Call]:
        """Every request as it came, headers and all."""
        return self._web.calls

    def _respond(self, call: Call, exchange: Exchange) -> None:
        if call.path == "/calls":
            exchange.reply(200, _bytes({"count": self.counter, "requests": self.requests}))
        elif call.path == "/script":
            with self._lock:
                self._script = [_answer_of(it) for it in json.loads(call.body)]
            exchange.reply(200, b"{}")
        elif self.api_key and call.headers.get("authorization") != f"Bearer {self.api_key}":
            exchange.reply(401, _problem("invalid_api_key", "no such key"))
        elif call.path == "/v1/models":
            data = [{"id": name, "object": "model"} for name in self.models]
            exchange.reply(200, _bytes({"object": "list", "data": data}))
        elif call.path == "/v1/chat/completions" and call.method == "POST":
            self._chat(json.loads(call.body), exchange)
        else:
            exchange.reply(404, _problem("not_found", f"no {call.path}"))

    def _chat(self, request: dict[str, Any], exchange: Exchange) -> None:
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
            answer = self._script.pop(0) if self._script else Answer(f"answer {number}")
        time.sleep(answer.delay_s)
        if answer.never:
            self._closing.wait(60)
            exchange.cut()
        elif answer.status != 200:
            headers = {} if answer.retry_after is None else {"retry-after": answer.retry_after}
            exchange.reply(answer.status, _problem(answer.error_code, answer.error), headers)
        elif request.get("stream") and not answer.whole:
            self._stream(answer, number, request, exchange)
        elif answer.cut_after is not None:
            exchange.cut()
        else:
            exchange.reply(200, b"{no json" if answer.malformed else _bytes(_whole(answer, number)))

    def _stream(
        self, answer: Answer, number: int, request: dict[str, Any], exchange: Exchange
    ) -> None:
        exchange.begin(200, {"content-type": "text/event-stream"})
        wants_usage = (request.get("stream_options") or {}).get("include_usage")
        pieces = _pieces(answer, number, usage=bool(wants_usage and answer.usage))
        for index, piece in enumerate(pieces):
            if index == answer.cut_after:
                exchange.cut()
                return
            if answer.malformed and index == 1:
                exchange.piece(b"data: {no json\n\n")
            exchange.piece(b"data: " + _bytes(piece) + b"\n\n")
            time.sleep(answer.piece_delay_s)
        exchange.piece(b"data: [DONE]\n\n")
        exchange.end()


def _pieces(answer: Answer, number: int, *, usage: bool) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
    if answer.reasoning:
        deltas.append({"reasoning_content": answer.reasoning})
    words = (answer.content or "").split(" ")
    deltas += [{"content": word if i == 0 else f" {word}"} for i, word in enumerate(words) if word]
    for index, (name, arguments, call_id) in enumerate(answer.tool_calls):
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        half = len(text) // 2
        head = {"id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [{"index": index, **head}]})
        for part in (text[:half], text[half:]):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    chunks = [_chunk(number, [{"index": 0, "delta": it, "finish_reason": None}]) for it in deltas]
    chunks.append(
        _chunk(number, [{"index": 0, "delta": {}, "finish_reason": _finish_reason(answer)}])
    )
    if usage:
        chunks.append(_chunk(number, []) | {"usage": _usage(answer)})
    return chunks


def _whole(answer: Answer, number: int) -> dict[str, Any]:
    calls = [
        {"id": call_id, "type": "function",
         "function": {"name": name, "arguments": it if isinstance(it, str) else json.dumps(it)}}
        for name, it, call_id in answer.tool_calls
    ]  # fmt: skip
    message = {"role": "assistant", "content": answer.content} | (
        {"tool_calls": calls} if calls else {}
    )
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(answer)}
    told = {"usage": _usage(answer)} if answer.usage else {}
    return _chunk(number, [choice]) | {"object": "chat.completion"} | told


def _chunk(number: int, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"chat-{number}", "object": "chat.completion.chunk", "created": 1, "model": MODEL,
        "choices": choices,
    }  # fmt: skip


def _finish_reason(answer: Answer) -> str:
    return answer.finish_reason or ("tool_calls" if answer.tool_calls else "stop")


def _usage(answer: Answer) -> dict[str, int]:
    said = len((answer.content or "").split())
    return {"prompt_tokens": 11, "completion_tokens": said, "total_tokens": 11 + said}


def _answer_of(told: dict[str, Any]) -> Answer:
    return Answer(**{**asdict(Answer()), **told})


def _problem(code: str, message: str) -> bytes:
    return _bytes({"error": {"message": message, "type": code, "code": code}})


def _bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def main() -> None:
    """Serve until the standard input closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--api-key", default=None)
    options = parser.parse_args()
    with OpenAiServer(port=options.port, api_key=options.api_key) as server:
        sys.stdout.write(json.dumps({"url": server.url, "base_url": server.base_url}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
