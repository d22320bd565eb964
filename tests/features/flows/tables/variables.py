"""Variables, and the conversation of the run."""

from unittest.mock import ANY

from tests.support.drawing import a_node, a_start, a_value, an_end
from tests.support.tables import passing, pure, row, table, told

SAID = {"role": "user", "content": "hi"}
ADDED = {"role": "user", "content": "there", "timestamp": ANY, "metadata": {"message_id": ANY}}

TABLES = {
    "get_var": [
        pure("get_var", out="value", defaults={"name": "a.b"}).rows(row(value=None)),
        table({"start": a_start("a"), "it": a_value("get_var", "name", out="value", defaults={"name": "a.b"}), "end": an_end("value")},
              "start -> end", "it.value => end.value").rows(row({"a": {"b": 1}}, value=1)),
    ],
    "get_context": [
        table({"start": a_start("context"), "it": a_value("get_context", out="context task messages"), "end": an_end("task", "messages")},
              "start -> end", "it.task => end.task", "it.messages => end.messages").rows(
            told(row({"context": {"task": "t", "messages": [SAID]}}, task="t", messages=[SAID]), cells={"msg/0": SAID}),
            row(task="", messages=[]),
        )
    ],
    "var_decl": [
        table({"start": a_start("n"), "it": a_value("var_decl", out="name value", literalValue={"name": "n", "type": "number", "default": 3}),
               "end": an_end("value")}, "start -> end", "it.value => end.value").rows(row({"n": 1}, value=1), row({"n": "x"}, value=3)),
    ],
    "bool_var": [
        table({"start": a_start("b"), "it": a_value("bool_var", out="name value", literalValue={"name": "b", "default": True}),
               "end": an_end("value")}, "start -> end", "it.value => end.value").rows(row({"b": False}, value=False), row(value=True)),
    ],
    "set_var": [
        passing("set_var", "name", "value", out="value").rows(
            told(row({"name": "a.b", "value": 1}, value=1), cells={"var/a": {"b": 1}}), row({"name": "_x", "value": 1}, fault="reserved"),
        )
    ],
    "set_var_property": [
        passing("set_var_property", "name", "key", "value", out="value").rows(
            told(row({"name": "a", "key": "b", "value": 1}, value={"b": 1}), cells={"var/a": {"b": 1}}), row({"name": "a"}, fault="needs a key"),
        )
    ],
    "set_vars": [
        passing("set_vars", "updates", out="updates").rows(
            told(row({"updates": {"a": 1, "b.c": 2}}, updates={"a": 1, "b.c": 2}), cells={"var/a": 1, "var/b": {"c": 2}}),
        )
    ],
    "add_message": [
        table({"start": a_start("context"), "it": a_node("add_message", "role", "content", out="message messages task", defaults={"content": "there"}),
               "end": an_end("message", "messages", "task")}, "start -> it -> end",
              *(f"it.{pin} => end.{pin}" for pin in ("message", "messages", "task"))).rows(
            told(row({"context": {"task": "t", "messages": [SAID]}}, message=ADDED, messages=[SAID, ADDED], task="t"), cells={"msg/1": ADDED}),
        )
    ],
}  # fmt: skip
