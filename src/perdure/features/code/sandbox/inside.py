"""What runs in the sandbox: reads its order, calls the function that it names, says what came of it.

It comes as text on the command line of an interpreter that can read nothing but Python's own
library, and imports nothing of the program. What the code prints goes where errors go; the answer
has a way of its own. Code can forge its answer, which is its own to give.
"""

import json
import os
import sys
import time
from contextlib import suppress
from typing import Any

try:
    import resource
except ImportError:  # of WebAssembly: the keeper knows what it took
    resource = None  # type: ignore[assignment] # it is asked for

ERROR_LETTERS_MAX = 2_000
spent_s = (
    time.perf_counter if sys.platform == "wasi" else time.process_time
)  # it has no clock for it


def main() -> None:
    """Take the order, do it, answer in one line."""
    order = json.loads(sys.stdin.buffer.read())
    answer = _way_of_answers()
    told = _done(order)
    sys.stdout.flush()
    answer.write(b"\n" + told)  # a line of its own, whatever the code has written there
    answer.flush()
    os._exit(0)  # threads that were left running are not waited for


def _way_of_answers() -> Any:
    """Where the answer goes; from here on what is printed goes where errors go."""
    if sys.platform != "wasi":
        answer = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        return answer
    answer, sys.stdout = sys.stdout.buffer, sys.stderr  # there a stream has no second number
    return answer


def _done(order: dict[str, Any]) -> bytes:
    started, began, used = time.perf_counter(), spent_s(), _rss_mb()
    written = ""
    with _Taking() as taken:
        told = {"ok": True, "output": _called(order)}
        written = json.dumps(told, allow_nan=False)
    took, spent, rss = time.perf_counter() - started, spent_s() - began, _rss_mb()
    execution = {
        "duration_ms": round(took * 1000, 3),
        "cpu_time_ms": round(spent * 1000, 3),
        "cpu_percent": round(spent / took * 100, 3) if took > 0 else 0.0,
        "memory_rss_mb": rss,
        "memory_rss_delta_mb": round(rss - used, 3),
    }
    facts = json.dumps(execution)
    body = written or json.dumps({"ok": False, "error": taken.error, "line": taken.line})
    return f'{body[:-1]}, "execution": {facts}}}'.encode()


class _Taking:
    """Takes whatever foreign code raises, which is its answer, and goes no further."""

    error, line = "it does not say why", None

    def __enter__(self) -> "_Taking":
        return self

    def __exit__(self, kind: Any, raised: BaseException | None, trace: Any) -> bool:
        if raised is None:
            return False
        self.error = type(raised).__name__  # what it says of itself is foreign code once more
        self.line = _line_of(raised)
        with suppress(BaseException):
            self.error = _said(raised)
        return True


def _called(order: dict[str, Any]) -> Any:
    """What the function makes of its input, or the value of an expression."""
    source, name, given = order["source"], order["function"], order["input"]
    if name is None:
        return eval(compile(source, "<expression>", "eval"), _names(given))  # noqa: S307 - it is what the sandbox is for
    names: dict[str, Any] = {"__name__": "__code__"}
    exec(compile(source, "<code>", "exec"), names)  # noqa: S102 - it is what the sandbox is for
    function = names.get(name)
    if not callable(function):
        raise NameError(f"the code defines no function {name!r}")
    return function(given)


def _names(given: Any) -> dict[str, Any]:
    """What an expression sees: its inputs by name, and all of them as `x` and `input`."""
    named = {key: value for key, value in given.items() if key.isidentifier()} if isinstance(given, dict) else {}  # fmt: skip
    return {"x": given, "input": given, "input_data": given, **named}


def _said(raised: BaseException) -> str:
    text = str(raised)
    name = type(raised).__name__
    return (f"{name}: {text}" if text else name)[:ERROR_LETTERS_MAX]


def _line_of(raised: BaseException) -> Any:
    """The line of the code in which it went wrong, where that is known."""
    if isinstance(raised, SyntaxError):
        return raised.lineno
    line, trace = None, raised.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in ("<code>", "<expression>"):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _rss_mb() -> float:
    if resource is None:
        return 0.0
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 3)


if __name__ == "__main__":
    main()
