"""What the terminal shows: steps, deltas, tables. Colours only on a terminal, and never where `NO_COLOR` is set.

Text that a model or a client wrote is shown as text: it can neither move the cursor nor colour a line.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import IO, Final

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from perdure.app.answers import Kind, child_of, kind_of
from perdure.app.stream import Delta
from perdure.clock import time_of
from perdure.kernel.values import Json

LINE_MAX: Final = 160  # of what one step says of itself
CELL_MAX: Final = 120  # of one cell of a table
COLUMNS_ELSEWHERE: Final = 1_000  # a pipe has no width: let no line break
COLOURS: Final = {
    "completed": "green", "failed": "red", "waiting": "yellow", "cancelled": "magenta", "started": "dim",
    "running": "cyan",
}  # fmt: skip
_ABSENT: Final = re.compile(r"#FALLBACK tool (\S+) is not installed")
ANSWERS: Final = ("answer", "response", "message", "text", "content")
# C0 but tab and line feed, delete, C1, and the marks that turn the direction of text.
_UNSAFE: Final = {
    **{code: 0x2400 + code for code in range(32) if code not in (9, 10)},
    0x7F: 0x2421,
    **dict.fromkeys([*range(0x80, 0xA0), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD),
}  # fmt: skip


def safe(text: str) -> str:
    """The text with what a terminal would obey made visible instead."""
    return text.replace("\r\n", "\n").translate(_UNSAFE)


def one_line(text: str, most: int = LINE_MAX) -> str:
    """The text on one line, cut where it is too long."""
    flat = " ".join(safe(text).split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def console(*, stderr: bool = False, file: IO[str] | None = None) -> Console:
    """A console that prints what it is given and reads nothing into it."""
    made = Console(stderr=stderr, file=file, highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = COLUMNS_ELSEWHERE
    return made


def as_json(value: Json) -> str:
    """JSON for a program to read: UTF-8, one value."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Text:
    """Rows in columns, each row a line, however long. A cell that is a status has its colour."""
    cells = [[one_line(cell, CELL_MAX) for cell in row] for row in rows]
    columns = zip(headings, *cells, strict=True)
    widths = [max(cell_len(cell) for cell in column) for column in columns]
    text = Text()
    for row, style in [(headings, "bold"), *((row, "") for row in cells)]:
        line = Text()
        for cell, width in zip(row, widths, strict=True):
            line.append(set_cell_size(cell, width) + "  ", style=style or COLOURS.get(cell, ""))
        line.rstrip()
        text.append(line).append("\n")
    text.rstrip()
    return text


def facts(rows: Iterable[tuple[str, str]]) -> Text:
    """Names and values, a line each."""
    rows = [(name, value) for name, value in rows if value]
    widest = max((len(name) for name, _ in rows), default=0)
    text = Text()
    for name, value in rows:
        text.append(f"{name:<{widest}}  ", style="dim")
        lines = safe(value).split("\n")
        text.append(f"\n{'':<{widest}}  ".join(lines) + "\n", style=COLOURS.get(value, ""))
    text.rstrip()
    return text


def answer_of(output: Json) -> str | None:
    """The answer in a run's output, where there is one to read."""
    if isinstance(output, str):
        return output
    if not isinstance(output, dict):
        return None
    found = next((output[name] for name in ANSWERS if isinstance(output.get(name), str)), None)
    return found if found is not None else answer_of(output.get("result"))


def warnings_of(run: Json) -> list[str]:
    """A run's warnings; tools that are not there share one."""
    warnings = run.get("flow_warnings") or []
    absent = [found[1] for it in warnings if (found := _ABSENT.fullmatch(it))]
    rest = [it for it in warnings if not _ABSENT.fullmatch(it)]
    if not absent:
        return rest
    return [f"#FALLBACK tools that are not installed are left out: {', '.join(absent)}", *rest]


def record_line(cursor: int, record: Json, depth: int = 0) -> Text:
    """A record as one line: number, node, effect, status, and what there is to say of it."""
    status = str(record["status"])
    effect = record["effect"]["type"] if record["effect"] else "end"
    node = one_line(str(record["node_id"]), 24)
    text = Text(f"{'  ' * depth}{cursor:>5}  ", style="dim")
    text.append(f"{node:<12}  {effect:<17} ", style="")
    text.append(f"{status:<9}", style=COLOURS.get(status, ""))
    if said := said_by(record):
        text.append("  " + one_line(said), style="dim" if status == "completed" else "")
    text.rstrip()
    return text


def said_by(record: Json) -> str:
    """What a record has to say beside its status."""
    result = record["result"] if isinstance(record["result"], dict) else {}
    match record["status"]:
        case "failed":
            return str(record["error"] or "")
        case "waiting":
            return wait_text(result.get("wait") or {})
        case "completed":
            return " · ".join(part for part in (_took(record), _came_to(record, result)) if part)
        case _:
            return ""


def wait_text(wait: Json) -> str:
    """What a wait is for, in a few words."""
    if child := child_of(wait):
        return f"run {child}"
    match kind_of(wait):
        case Kind.EVENT:
            return f"event {wait.get('wait_key')}"
        case Kind.OTHER:
            return (
                f"until {wait['until'][:19]} UTC"
                if wait.get("until")
                else str(wait.get("reason") or "")
            )
        case kind:
            return str(wait.get("prompt") or kind)


def _took(record: Json) -> str:
    if not (record["effect"] and record["started_at"] and record["ended_at"]):
        return ""
    took_s = (time_of(record["ended_at"]) - time_of(record["started_at"])).total_seconds()
    return f"{took_s:.1f} s" if took_s >= 0.1 else ""


def _came_to(record: Json, result: Json) -> str:
    effect = record["effect"] or {"type": "end", "payload": None}
    payload = effect["payload"] if isinstance(effect["payload"], dict) else {}
    match effect["type"]:
        case "llm_call":
            usage = result.get("usage") or {}
            return (
                f"{usage.get('input_tokens', '?')} tokens in, {usage.get('output_tokens', '?')} out"
            )
        case "emit_event":
            said = payload.get("payload")
            if isinstance(said, dict):
                said = said.get("text", said.get("value", said))
            return f"{payload.get('name')}: {_brief(said)}"
        case "answer_user":
            return _brief(payload.get("message"))
        case "resume":
            return _brief(payload.get("payload"))
        case "tool_calls":
            return ", ".join(str(it.get("name")) for it in payload.get("tool_calls") or [])
        case _:
            return ""


def _brief(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Screen:
    """A terminal with a ledger running over it: `live` shows what happens, `out` what it came to."""

    def __init__(self, live: Console, out: Console) -> None:
        """Show nothing yet. Both may be the same console."""
        self.live = live
        self.out = out
        self._open: tuple[str, int, str] | None = None  # the delta whose line has not ended
        self._shown: dict[tuple[str, int, str], int] = {}

    def record(self, cursor: int, record: Json, depth: int = 0) -> None:
        """Show a step."""
        self.say(record_line(cursor, record, depth))

    def delta(self, delta: Delta) -> None:
        """Show as much of a delta as is new; a late reader's first one holds all that came before."""
        key = (delta.step_id, delta.attempt, delta.kind)
        shown = self._shown.get(key, 0)
        fresh = delta.text[max(0, shown - delta.offset) :]
        if not fresh:
            return
        margin = " " * 7 + "│ "
        if self._open != key:
            self._end_line()
            self.live.print(Text(margin, style="dim"), end="")
        style = "" if delta.kind == "text" else "dim italic"
        if delta.offset > shown:
            fresh = f"… {fresh}"
        lines = safe(fresh).replace("\n", f"\n{margin}")
        self.live.print(Text(lines, style=style), end="", soft_wrap=True)
        self._open = key
        self._shown[key] = delta.offset + len(delta.text)

    def say(self, text: Text | str, style: str = "") -> None:
        """Show a line of what happens."""
        self._end_line()
        self.live.print(
            Text(safe(text)) if isinstance(text, str) else text, style=style, soft_wrap=True
        )

    def show(self, what: Text | str) -> None:
        """Print what it came to."""
        self._end_line()
        self.out.print(Text(safe(what)) if isinstance(what, str) else what, soft_wrap=True)

    def json(self, value: Json) -> None:
        """Print a value for a program to read."""
        self._end_line()
        print(as_json(value), file=self.out.file, flush=True)

    def _end_line(self) -> None:
        if self._open is not None:
            self.live.print()
            self._open = None
