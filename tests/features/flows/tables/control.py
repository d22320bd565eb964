"""Ways that part, loops, and branches beside each other. What reaches a bound is in `nodes/test_loops.py`: it takes long."""

from perdure.kernel.model import Failed, Ok
from tests.support.drawing import Drawn, a_literal, a_node, a_start, a_value, an_end
from tests.support.tables import row, table, told

CASES = {"cases": [{"id": "one", "value": "1"}, {"id": "yes", "value": True}]}


def _way(name: str) -> dict[str, Drawn]:
    return {name: an_end("way"), f"{name}-said": a_literal(name)}


def _append(pin: str) -> tuple[dict[str, Drawn], list[str]]:
    """Nodes that append what `pin` names to the variable `seen`."""
    nodes = {
        "seen": a_value("get_var", out="value", defaults={"name": "seen"}), "more": a_value("array_append", "array", "item"),
        "keep": a_node("set_var", "name", "value", defaults={"name": "seen"}),
    }  # fmt: skip
    return nodes, ["seen.value => more.array", f"{pin} => more.item", "more.result => keep.value"]


KEEP, KEEP_LINES = _append("it.item")
KEEP_I, KEEP_I_LINES = _append("it.i")
KEEP_INDEX, KEEP_INDEX_LINES = _append("it.index")
SEEN = a_value("get_var", out="value", defaults={"name": "seen"})


def _notes(*names: str) -> dict[str, Drawn]:
    return {it: a_node("set_var", defaults={"name": it, "value": it}) for it in names}


TABLES = {
    "if": [
        table({"start": a_start("c"), "it": a_node("if", "condition"), **_way("then"), **_way("else")},
              "start -> it", "it:true -> then", "it:false -> else", "start.c => it.condition",
              "then-said.value => then.way", "else-said.value => else.way").rows(
            row({"c": "x"}, way="then"), row({"c": 0}, way="else"),
        )
    ],
    "switch": [
        table({"start": a_start("v"), "it": a_node("switch", "value", switchConfig=CASES), **_way("first"), **_way("second"), **_way("other")},
              "start -> it", "it:case:one -> first", "it:case:yes -> second", "it:default -> other", "start.v => it.value",
              *(f"{name}-said.value => {name}.way" for name in ("first", "second", "other"))).rows(
            row({"v": 1}, way="first"), row({"v": True}, way="second"), row({"v": "2"}, way="other"),
        )
    ],
    "loop": [
        table({"start": a_start("items"), "it": a_node("loop", "items", out="item"), **KEEP, "end": an_end("seen"), "all": SEEN},
              "start -> it", "it:loop -> keep", "it:done -> end", "start.items => it.items", *KEEP_LINES, "all.value => end.seen").rows(
            row({"items": ["a", "b"]}, seen=["a", "b"]), row({"items": "one"}, seen=["one"]), row(seen=None),
        )
    ],
    "for": [
        table({"start": a_start("start", "end", "step"), "it": a_node("for", "start", "end", "step", out="i"), **KEEP_I, "end": an_end("seen"), "all": SEEN},
              "start -> it", "it:loop -> keep", "it:done -> end", *(f"start.{pin} => it.{pin}" for pin in ("start", "end", "step")), *KEEP_I_LINES,
              "all.value => end.seen").rows(
            row({"start": 0, "end": 3}, seen=[0.0, 1.0, 2.0]), row({"start": 3, "end": 0, "step": -2}, seen=[3.0, 1.0]),
            row({"start": 0, "end": 3, "step": 0}, fault="a step that is not zero"),
        ),
        table({"start": a_start("end", "step"), "it": a_node("for", "start", "end", "step", out="index total", defaults={"start": 0}),
               "pass": a_node("set_var", "value", defaults={"name": "n"}), "end": an_end("index", "total")},
              "start -> it", "it:loop -> pass", "it:done -> end", "start.end => it.end", "start.step => it.step", "it.index => pass.value",
              "it.index => end.index", "it.total => end.total").rows(
            row({"end": 1, "step": 0.25}, index=3, total=4), row({"end": 1, "step": 0.1}, index=10, total=10),
        ),
    ],
    "while": [
        table({"start": a_start("n"), "it": a_node("while", "condition", out="index"), **KEEP_INDEX, "end": an_end("seen"), "all": SEEN,
               "count": a_value("array_length", "array"), "less": a_value("compare", "a", "b", defaults={"op": "<"})},
              "start -> it", "it:loop -> keep", "it:done -> end", "all.value => count.array", "count.result => less.a", "start.n => less.b",
              "less.result => it.condition", *KEEP_INDEX_LINES, "all.value => end.seen").rows(
            row({"n": 3}, seen=[0, 1, 2]), row({"n": 0}, seen=None),
        ),
    ],
    "sequence": [
        table({"start": a_start(), "it": a_node("sequence"), **_notes("a", "b"), "end": an_end("a", "b"),
               "va": a_value("get_var", out="value", defaults={"name": "a"}), "vb": a_value("get_var", out="value", defaults={"name": "b"})},
              "start -> it", "it:then:10 -> end", "it:then:2 -> b", "it:then:0 -> a", "va.value => end.a", "vb.value => end.b").rows(
            told(row(a="a", b="b"), cells={"var/a": "a", "var/b": "b"}),
        )
    ],
    "parallel": [
        table({"start": a_start(), "it": a_node("parallel"), "a": a_node("llm_call", out="response"), "b": a_node("llm_call", out="response"),
               "c": a_node("answer_user", out="message", defaults={"message": "c"}), "all": a_value("make_array", "a", "b", "c"), "end": an_end("all")},
              "start -> it", "it:then:0 -> a", "it:then:1 -> b", "it:then:2 -> c", "it:completed -> end",
              "a.response => all.a", "b.response => all.b", "c.message => all.c", "all.result => end.all").rows(
            told(row(all=["first", "second", "c"]), effects={"a": Ok({"content": "first"}), "b": Ok({"content": "second"})}),
            told(row(fails="upset: by b"), effects={"a": Ok({"content": "first"}), "b": Failed("upset", "by b")}),
        )
    ],
}  # fmt: skip
