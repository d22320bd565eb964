"""The terminal shows each step on a line and each token once; what a model writes stays text."""

import io
from typing import Any

import pytest
from rich.console import Console

from perdure.app.render import (
    Screen,
    answer_of,
    console,
    facts,
    one_line,
    record_line,
    safe,
    table,
    wait_text,
)
from perdure.app.stream import Delta
from tests.support.scripted_gateway import child_wait, question, record

ESC = "\x1b"


def on_paper() -> tuple[Screen, io.StringIO]:
    paper = io.StringIO()
    made = console(file=paper)
    return Screen(made, made), paper


def delta(offset: int, text: str, *, step: str = "s1", attempt: int = 1, kind: str = "text") -> Delta:  # fmt: skip
    return Delta("r1", step, attempt, offset, kind, text)


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"status": "started"}, "    7  think         llm_call          started"),
        (
            {"result": {"usage": {"input_tokens": 31, "output_tokens": 12}},
             "ended_at": "2026-11-21T03:14:46.250000+00:00"},
            "    7  think         llm_call          completed  1.2 s · 31 tokens in, 12 out",
        ),
        ({"status": "failed", "error": "it\nbroke"}, "    7  think         llm_call          failed     it broke"),
        (
            {"status": "waiting", "effect": {"type": "ask_user", "payload": {}}, "result": {"wait": question()}},
            "    7  think         ask_user          waiting    Really?",
        ),
        (
            {"status": "waiting", "effect": {"type": "start_subworkflow", "payload": {}}, "result": {"wait": child_wait("r2")}},
            "    7  think         start_subworkflow waiting    run r2",
        ),
        (
            {"effect": {"type": "emit_event", "payload": {"name": "abstract.status", "payload": {"text": "Halfway"}}}},
            "    7  think         emit_event        completed  abstract.status: Halfway",
        ),
        (
            {"effect": {"type": "answer_user", "payload": {"message": "Hello"}}},
            "    7  think         answer_user       completed  Hello",
        ),
        (
            {"effect": {"type": "resume", "payload": {"payload": {"response": "yes"}}}},
            '    7  think         resume            completed  {"response": "yes"}',
        ),
        (
            {"effect": {"type": "tool_calls", "payload": {"tool_calls": [{"name": "read_file"}]}}},
            "    7  think         tool_calls        completed  read_file",
        ),
        ({"effect": None, "result": {"completed": True}}, "    7  think         end               completed"),
    ],
)  # fmt: skip
def test_a_record_is_one_line(more: dict[str, Any], line: str) -> None:
    assert record_line(7, record(**more)).plain == line


def test_a_child_s_record_stands_further_in() -> None:
    assert record_line(1, record(status="started"), depth=2).plain.startswith(" " * 8 + "1  think")


@pytest.mark.parametrize(
    ("wait", "text"),
    [
        (question(reason="event", wait_key="order-7"), "event order-7"),
        (question(reason="until", until="2026-11-22T00:00:00+00:00"), "until 2026-11-22T00:00:00 UTC"),
        (question(prompt=None, details={"mode": "approval_required"}), "approval"),
    ],
)  # fmt: skip
def test_a_wait_says_what_for(wait: dict[str, Any], text: str) -> None:
    assert wait_text(wait) == text


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("plain", "plain"),
        ({"response": "r", "answer": "a"}, "a"),
        ({"response": "", "message": "m"}, ""),
        ({"result": {"response": "inner"}}, "inner"),
        ({"total": 3}, None),
        (None, None),
    ],
)
def test_the_answer_is_where_clients_look_for_it(output: Any, answer: str | None) -> None:
    assert answer_of(output) == answer


def test_text_can_neither_move_the_cursor_nor_colour_a_line() -> None:
    evil = f"{ESC}[2J{ESC}]0;title\x07\rover\x08\x7f\x9b31m\u202egnp"
    assert not set(safe(evil)) & set("\x1b\x07\r\x08\x7f\x9b\u202e")
    assert safe("a\tb\nc\r\nd") == "a\tb\nc\nd"
    screen, paper = on_paper()
    screen.delta(delta(0, evil))
    screen.record(1, record(status="failed", error=evil, node_id=evil))
    screen.say(evil)
    screen.show(table(("a",), [(evil,)]))
    screen.show(facts([("a", evil)]))
    assert ESC not in paper.getvalue()
    assert "[bold]" in shown("[bold]as it is[/bold]")


def shown(text: str) -> str:
    screen, paper = on_paper()
    screen.show(text)
    return paper.getvalue()


def test_a_long_text_is_cut_to_a_line() -> None:
    assert one_line("a  b\n c") == "a b c"
    assert one_line("x" * 10, 5) == "xxxx…"


def test_each_token_is_shown_once_and_in_its_place() -> None:
    screen, paper = on_paper()
    screen.delta(delta(0, "The capital"))
    screen.delta(delta(0, "The capital of"))
    screen.delta(delta(4, "capital of"))
    screen.delta(delta(14, " France\nis Paris."))
    screen.record(2, record(status="completed"))
    lines = paper.getvalue().splitlines()
    assert lines[:2] == ["       │ The capital of France", "       │ is Paris."]
    assert lines[2].split()[:2] == ["2", "think"]


def test_a_gap_in_the_tokens_is_shown_as_one() -> None:
    screen, paper = on_paper()
    screen.delta(delta(0, "one"))
    screen.delta(delta(10, "two"))
    screen.say("end")
    assert paper.getvalue().splitlines()[0] == "       │ one… two"


def test_two_calls_at_once_do_not_share_a_line() -> None:
    screen, paper = on_paper()
    screen.delta(delta(0, "left", step="s1"))
    screen.delta(delta(0, "right", step="s2"))
    screen.delta(delta(0, "again", step="s1", attempt=2))
    screen.delta(delta(0, "thought", step="s1", attempt=2, kind="reasoning"))
    screen.say("end")
    told = [line.strip(" │") for line in paper.getvalue().splitlines()]
    assert told == ["left", "right", "again", "thought", "end"]


def test_a_pipe_gets_neither_colours_nor_broken_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    screen, paper = on_paper()
    screen.show(table(("run", "why"), [("r" * 36, "w" * 300)]))
    screen.say("x" * 500, "red")
    assert [len(line) for line in paper.getvalue().splitlines()][-1] == 500
    assert len(paper.getvalue().splitlines()) == 3
    assert ESC not in paper.getvalue()


def test_a_terminal_gets_colours_unless_it_asks_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    failed = record_line(1, record(status="failed", error="why"))

    def on_a_terminal() -> str:
        paper = io.StringIO()
        Console(file=paper, force_terminal=True, color_system="standard").print(failed)
        return paper.getvalue()

    assert ESC in on_a_terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    assert f"{ESC}[31m" not in on_a_terminal()


def test_a_value_for_a_program_is_json_and_nothing_else() -> None:
    screen, paper = on_paper()
    screen.json({"text": "é\u2028"})
    assert paper.getvalue() == '{\n  "text": "é\u2028"\n}\n'


def test_facts_stand_under_one_another() -> None:
    text = facts([("run", "r1"), ("empty", ""), ("waits for", "a\nb")])
    assert text.plain == "run        r1\nwaits for  a\n           b"
