"""Where flows begin and end."""

from tests.support.drawing import a_node, a_start, an_end
from tests.support.tables import row, table, told

TABLES = {
    "on_flow_start": [
        table({"start": a_start("given", kept="default"), "end": an_end("given", "kept")},
              "start -> end", "start.given => end.given", "start.kept => end.kept").rows(
            told(row({"given": 1}, given=1, kept="default"), cells={"var/kept": "default"}), row({"kept": None}, given=None, kept=None),
        )
    ],
    "on_flow_end": [
        table({"start": a_start("a"), "loop": a_node("loop", "items"), "end": an_end("a", "item")},
              "start -> loop", "loop:loop -> end", "start.a => loop.items", "start.a => end.a").rows(
            row({"a": [1, 2]}, a=[1, 2], item=1),
        ),
        table({"start": a_start("a"), "end": an_end()}, "start -> end").rows(row({"a": 1}, a=1)),
    ],
    "on_user_request": [
        table({"on": a_node("on_user_request", out="message context"), "end": an_end("message", "context")}, "on -> end").rows(
            row({"message": "hi"}, message="hi", context={}), row({"message": {"text": "hi"}}, message={"text": "hi"}, context={}),
        )
    ],
    "on_agent_message": [
        table({"on": a_node("on_agent_message", out="sender message channel", eventConfig={"channel": "c"}),
               "end": an_end("sender", "message", "channel")}, "on -> end").rows(
            row({"sender": "a", "message": "hi"}, sender="a", message="hi", channel="c"), row(sender="unknown", message="", channel="c"),
        )
    ],
}  # fmt: skip
