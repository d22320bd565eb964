"""The flow language's paths, and the cells that they mean."""

import pytest

from perdure.features.flows.faults import NodeFault
from perdure.features.flows.vars import Vars, Writes, inherited, reserved, spoken
from perdure.ids import RunId
from perdure.kernel.model import GONE
from perdure.kernel.program import View
from perdure.kernel.values import Json
from tests.support.flowing import Counted

CELLS: dict[str, Json] = {
    "in/prompt": "hi", "in/user": {"name": "Ada", "tags": ["x", "y"]}, "in/context": {"task": "greet", "messages": ["given"]},
    "var/user": {"name": "Bo"}, "out/start": {"prompt": "hi", "_temp": 1, "workspace_root": "/"}, "out/llm": {"response": "ok"},
    "last": "out/start", "msg/0": {"role": "user", "content": "hi"}, "msg/1": "odd", "ctl/messages": 2,
    "rt/_runtime": {"model": "m"}, "rt/_limits": {"max": 1},
}  # fmt: skip

PATHS: dict[str, tuple[str, Json]] = {
    "an input": ("prompt", "hi"),
    "a variable hides the input": ("user.name", "Bo"),
    "an input that is hidden": ("user.tags", None),
    "dots too many": (".prompt.", "hi"),
    "nothing": ("", None),
    "what is not there": ("nobody.there", None),
    "the context": ("context", {"task": "greet", "messages": [CELLS["msg/0"], "odd"]}),
    "in the context": ("context.task", "greet"),
    "the messages": ("context.messages", [CELLS["msg/0"], "odd"]),
    "in a message": ("context.messages.0.content", "hi"),
    "a node's output": ("_temp.node_outputs.llm.response", "ok"),
    "an effect's result": ("_temp.effects.llm", {"response": "ok"}),
    "nothing else of `_temp`": ("_temp.memory", None),
    "all of `_temp`": ("_temp", None),
    "the last output": ("_last_output.prompt", "hi"),
    "the runtime": ("_runtime.model", "m"),
    "the limits": ("_limits", {"max": 1}),
    "no other reserved name": ("_secret", None),
}  # fmt: skip

ASSIGNED: dict[str, tuple[str, Json, Writes]] = {
    "a name": ("x", 1, {"var/x": 1}),
    "a path": ("x.y.z", 1, {"var/x": {"y": {"z": 1}}}),
    "a path into a variable": ("user.age", 36, {"var/user": {"name": "Bo", "age": 36}}),
    "a path into an input": ("prompt.x", 1, {"var/prompt": {"x": 1}}),
    "in the context": ("context.task", "part", {"var/context": {"task": "part"}}),
    "fewer messages": ("context.messages", ["a"], {"msg/0": "a", "msg/1": GONE, "ctl/messages": 1}),
    "no messages": ("context.messages", None, {"msg/0": GONE, "msg/1": GONE, "ctl/messages": 0}),
    "a context": (
        "context", {"task": "t", "messages": ["a", "b", "c"]},
        {"var/context": {"task": "t"}, "msg/0": "a", "msg/1": "b", "msg/2": "c", "ctl/messages": 3},
    ),
    "no context": ("context", None, {"var/context": None, "msg/0": GONE, "msg/1": GONE, "ctl/messages": 0}),
}  # fmt: skip


def _vars(cells: dict[str, Json] | None = None) -> Vars:
    return Vars(View(CELLS if cells is None else cells))


@pytest.mark.parametrize(("path", "value"), PATHS.values(), ids=PATHS)
def test_a_path_is_read(path: str, value: Json) -> None:
    assert _vars().get(path) == value


@pytest.mark.parametrize(("path", "value", "writes"), ASSIGNED.values(), ids=ASSIGNED)
def test_a_path_is_set(path: str, value: Json, writes: Writes) -> None:
    before = repr(CELLS)
    assert _vars().assigned(path, value) == writes
    assert repr(CELLS) == before, "what was there is not changed"


@pytest.mark.parametrize("path", ["", ".", "_temp", "_runtime.model", "context.messages.0"])
def test_what_cannot_be_set(path: str) -> None:
    with pytest.raises(NodeFault):
        _vars().assigned(path, 1)


def test_what_was_set_and_not_yet_written_can_be_read() -> None:
    after = _vars().over({"var/user": {"name": "Cy"}, "in/prompt": GONE})
    assert (after.get("user.name"), after.get("prompt"), after.get("context.task")) == (
        "Cy",
        None,
        "greet",
    )


def test_ambient_is_the_last_output_without_what_is_reserved() -> None:
    assert _vars().ambient() == {"prompt": "hi"}
    assert _vars({"last": "out/a", "out/a": "text"}).ambient() == {}
    assert _vars({}).ambient() == {}
    assert [reserved(name) for name in ("_x", "workspace_root", "x")] == [True, True, False]


def test_a_branch_has_a_last_output_of_its_own() -> None:
    cells = {**CELLS, "ctl/0.1.0/last": "out/llm"}
    assert Vars(View(cells), "ctl/0.1.0/last").last_output() == {"response": "ok"}


def test_a_turn_is_appended_without_reading_what_was_said() -> None:
    cells = Counted({**CELLS, **{f"msg/{index}": "x" for index in range(500)}, "ctl/messages": 500})
    writes = Vars(cells).told(RunId("r"), [("user", "a"), ("assistant", "b")], "llm_turn")
    assert writes == {
        "msg/500": {
            "role": "user",
            "content": "a",
            "metadata": {"kind": "llm_turn", "message_id": "r:500"},
        },
        "msg/501": {
            "role": "assistant",
            "content": "b",
            "metadata": {"kind": "llm_turn", "message_id": "r:501"},
        },
        "ctl/messages": 502,
    }
    assert cells.reads == 2, "how many there are, and how many were summed up"


def test_given_messages_become_cells_once() -> None:
    given = {"in/context": {"messages": [{"role": "user"}, "odd"]}}
    assert _vars(given).seeded() == {"msg/0": {"role": "user"}, "msg/1": "odd", "ctl/messages": 2}
    assert _vars({**given, "ctl/messages": 0}).seeded() == {}
    assert _vars({"in/context": {"messages": "odd"}}).seeded() == {}
    assert _vars({}).seeded() == {}


def test_a_model_is_told_who_spoke_and_what() -> None:
    said = [
        {"role": "user", "content": "a", "metadata": {}},
        {"role": "user"},
        {"content": "b"},
        "c",
        {"role": 1, "content": "d"},
    ]
    assert spoken(said) == [{"role": "user", "content": "a"}]


def test_an_inherited_conversation_keeps_its_order_and_says_nothing_twice() -> None:
    system, first, own = (
        {"role": role, "content": content, "metadata": {"message_id": content}}
        for role, content in (("system", "s"), ("user", "a"), ("user", "b"))
    )
    plain = {"role": "user", "content": "no id"}
    cells = inherited([first, plain, "odd"], [own, system, first, plain])
    assert cells == {
        "msg/0": system, "msg/1": first, "msg/2": plain, "msg/3": own, "msg/4": plain, "ctl/messages": 5,
    }  # fmt: skip
    assert inherited([], None) == {"ctl/messages": 0}
