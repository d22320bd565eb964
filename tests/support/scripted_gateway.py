"""A gateway that says what a test tells it to: real HTTP on loopback, with streams that can be cut."""

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any, Self

from tests.support.loopback import Call, Exchange, Loopback

B = "/api/gateway"
AT = "2026-11-21T03:14:45.000000+00:00"
Reply = tuple[int, Any] | Callable[[Call, Exchange], None]
CUT = "cut"


def record(run_id: str = "r1", **more: Any) -> dict[str, Any]:
    """A record with all its fields."""
    return {
        "run_id": run_id, "step_id": "s1", "node_id": "think", "status": "completed",
        "effect": {"type": "llm_call", "payload": {}, "result_key": None}, "result": None, "error": None,
        "started_at": AT, "ended_at": None, "actor_id": "gateway", "session_id": run_id, "attempt": 1,
        "idempotency_key": None, "prev_hash": "00", "record_hash": "00", "signature": None,
    } | more  # fmt: skip


def summary(run_id: str = "r1", **more: Any) -> dict[str, Any]:
    """A run's summary with all its fields."""
    return {
        "run_id": run_id, "workflow_id": "b@1.0.0:f", "status": "completed", "current_node": None,
        "created_at": AT, "updated_at": AT, "actor_id": "gateway", "session_id": run_id,
        "parent_run_id": None, "root_run_id": run_id, "error": None, "output": {"response": "Paris."},
        "flow_warnings": None, "paused": False, "pause_reason": None, "waiting": None, "blocked_on": None,
        "ledger_len": 2, "tokens_in": 0, "tokens_out": 0, "tokens_total": 0,
    } | more  # fmt: skip


def question(run_id: str = "r1", **more: Any) -> dict[str, Any]:
    """A wait for a person."""
    return {
        "reason": "user", "wait_key": f"user:{run_id}:ask", "until": None, "prompt": "Really?",
        "choices": ["yes", "no"], "allow_free_text": False, "details": None,
    } | more  # fmt: skip


def waits(run_id: str, wait: dict[str, Any]) -> dict[str, Any]:
    """The summary of a run that waits."""
    blocked: dict[str, Any] = {
        "type": "question",
        "since": AT,
        "detail": wait["prompt"] or "",
        "unblock": [],
    }
    return summary(run_id, status="waiting", output=None, waiting=wait, blocked_on=blocked)


def child_wait(child: str) -> dict[str, Any]:
    """A wait for a child."""
    return question(
        reason="subworkflow", wait_key=f"subworkflow:{child}", prompt=None, choices=None,
        details={"sub_run_id": child},
    )  # fmt: skip


def step(cursor: int, it: dict[str, Any]) -> str:
    """A step as a frame of the stream."""
    return f"id: {cursor}\nevent: step\ndata: {json.dumps({'cursor': cursor, 'record': it}, ensure_ascii=False)}\n\n"


def delta(offset: int, text: str, **more: Any) -> str:
    """A delta as a frame of the stream."""
    body = {"run_id": "r1", "step_id": "s1", "attempt": 1, "offset": offset, "kind": "text", "text": text}  # fmt: skip
    return f"event: delta\ndata: {json.dumps(body | more)}\n\n"


def done(cursor: int, run_id: str = "r1") -> str:
    """The last frame of a stream."""
    body = {"run_id": run_id, "cursor": cursor, "status": "terminal"}
    return f"event: done\ndata: {json.dumps(body)}\n\n"


def stream(*frames: str) -> Reply:
    """An event stream; `CUT` breaks the connection."""

    def reply(call: Call, exchange: Exchange) -> None:
        exchange.begin(200, {"content-type": "text/event-stream; charset=utf-8"})
        for frame in frames:
            if frame == CUT:
                exchange.cut()
                return
            exchange.piece(frame.encode())
        exchange.end()

    return reply


def problem(status: int, code: str, detail: str, **more: Any) -> Reply:
    """A problem document."""
    return status, {"type": f"/problems/{code}", "title": "", "status": status, "detail": detail, "code": code} | more  # fmt: skip


class ScriptedGateway:
    """Answers each path with what it was told, in order; the last answer stays."""

    def __init__(self) -> None:
        """Know no path yet."""
        self._script: dict[tuple[str, str], list[Reply]] = {}
        self._lock = threading.Lock()
        self._web = Loopback(self._respond)

    def __enter__(self) -> Self:
        self._web.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._web.__exit__()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._web.url

    def on(self, method: str, path: str, *replies: Reply) -> Self:
        """Answer a path below the API with `replies`, one for each request."""
        self._script[method, path[1:] if path.startswith("//") else B + path] = list(replies)
        return self

    def run(self, *summaries: dict[str, Any]) -> Self:
        """Know a run, which stands as each of `summaries` says in turn."""
        return self.on("GET", f"/runs/{summaries[0]['run_id']}", *((200, it) for it in summaries))

    def ledger(self, run_id: str, *connections: Sequence[str]) -> Self:
        """Have a ledger's stream: the frames of each connection in turn."""
        replies = (stream(*frames) for frames in connections)
        return self.on("GET", f"/runs/{run_id}/ledger/stream", *replies)

    def takes_commands(self, state: str = "applied", detail: str | None = None) -> Self:
        """Take every command in, and say of each that it is settled."""
        self.on("POST", "/commands", (200, {"accepted": True, "duplicate": False, "seq": 1}))
        self._script["GET", f"{B}/commands/*"] = [(200, {"state": state, "detail": detail})]
        return self

    def asked(self, method: str, path: str) -> list[Call]:
        """The requests that came for a path below the API."""
        return [it for it in self._web.calls if (it.method, it.path.partition("?")[0]) == (method, B + path)]  # fmt: skip

    def bodies(self, path: str) -> list[Any]:
        """What was posted to a path below the API."""
        return [json.loads(it.body) for it in self.asked("POST", path)]

    def _respond(self, call: Call, exchange: Exchange) -> None:
        path = call.path.partition("?")[0]
        with self._lock:
            replies = self._script.get((call.method, path)) or self._script.get(
                (call.method, path.rpartition("/")[0] + "/*")
            )
            reply = replies[0] if replies else problem(404, "not_found", f"no {path}")
            if replies and len(replies) > 1:
                replies.pop(0)
        if callable(reply):
            reply(call, exchange)
            return
        status, body = reply
        kind = "application/json" if status < 400 else "application/problem+json"
        exchange.reply(status, json.dumps(body).encode(), {"content-type": kind})
