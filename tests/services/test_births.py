"""What a run is born with: a cell for each input, what is known beside them, and nothing forged."""

from typing import Any

import pytest

from perdure.errors import Unfit
from perdure.ids import RunId
from perdure.kernel.limits import Limits
from perdure.kernel.model import ProgramRef
from perdure.services.births import (
    LIMITS_DEFAULT,
    PROMPT_LETTERS_MAX,
    Chosen,
    StartRequest,
    artifacts_in,
    birth_of,
    cells_of,
    inputs_of,
    prompt_of,
)

CHOSEN = Chosen(ProgramRef("flow", None, "main"), "kit@1.0.0:main")
AT = "2026-01-01T00:00:00.000000+00:00"


def cells(**inputs: Any) -> dict[str, Any]:
    return cells_of(StartRequest(inputs))


def test_each_input_is_a_cell() -> None:
    born = cells(prompt="hi", n=1, context={"messages": [{"role": "user", "content": "hi"}]})
    assert born["in/prompt"] == "hi"
    assert born["in/n"] == 1
    assert born["in/context"]["messages"] == [{"role": "user", "content": "hi"}]


def test_the_inputs_can_be_read_back() -> None:
    given = {"prompt": "hi", "deep": {"a": [1, 2]}}
    assert inputs_of(cells(**given, _runtime={"model": "m"})) == given


def test_the_server_s_own_word_is_never_taken_from_outside() -> None:
    born = cells(_runtime={"workflow_policy": {"signed": True}, "temperature": 0})
    assert born["rt/_runtime"] == {"temperature": 0}
    assert "in/_runtime" not in born


def test_provider_and_model_are_those_of_the_request() -> None:
    assert cells(provider="p", model="m")["rt/_runtime"] == {"provider": "p", "model": "m"}
    named = cells(provider="p", _runtime={"provider": "q"})
    assert named["rt/_runtime"]["provider"] == "q"
    assert cells(provider="", model=None)["rt/_runtime"] == {}


def test_thinking_is_kept_even_where_it_is_off() -> None:
    born = cells_of(StartRequest({}, thinking=False))
    assert born["rt/_runtime"] == {"thinking": False}


def test_limits_are_the_usual_ones_and_what_was_asked() -> None:
    born = cells(_limits={"max_iterations": 3})["rt/_limits"]
    assert born == {**LIMITS_DEFAULT, "max_iterations": 3}
    assert cells(_limits="no object")["rt/_limits"] == LIMITS_DEFAULT


def test_a_lifecycle_is_a_cell_where_there_is_one() -> None:
    born = cells_of(StartRequest({}, lifecycle={"purpose": "draft_test"}))
    assert born["rt/_run_lifecycle"] == {"purpose": "draft_test"}
    assert "rt/_run_lifecycle" not in cells()


def test_a_run_without_a_session_is_alone_in_its_own() -> None:
    alone = birth_of(StartRequest({}), CHOSEN, RunId("r"), AT, Limits())
    together = birth_of(StartRequest({}, session_id="s"), CHOSEN, RunId("r"), AT, Limits())
    assert (alone.session_id, together.session_id) == ("r", "s")
    assert alone.root_id == "r"
    assert (alone.program, alone.workflow_id) == CHOSEN


def test_the_prompt_that_lists_show_is_bounded() -> None:
    long = "x" * (PROMPT_LETTERS_MAX + 1)
    assert len(prompt_of({"prompt": long})) == PROMPT_LETTERS_MAX
    assert prompt_of({"prompt": long}, letters_max=None) == long
    assert prompt_of({"prompt": 5, "message": "hi"}) == "hi"
    assert prompt_of({}) == ""


def test_every_artifact_that_is_named_is_found() -> None:
    value = {"a": [{"$artifact": "1"}, {"b": {"$artifact": "2"}}], "c": {"$artifact": 3}}
    assert list(artifacts_in(value)) == ["1", "2"]


def test_a_repeat_is_the_same_request_whatever_its_key() -> None:
    assert StartRequest({"a": 1}, key="k").body() == StartRequest({"a": 1}, key="l").body()
    assert StartRequest({"a": 1}).body() != StartRequest({"a": 2}).body()


ABROAD = (
    "/", "/etc", "//host/share", "~", "~root/x", "C:\\x", "c:x", "\\\\host\\share", "..", "../x", "a/../../x",
    "a\\..\\x", " /etc", "a/ .. /x", "x\n/..",
)  # fmt: skip


@pytest.mark.parametrize("name", ["workspace_root", "workspace_allowed_paths"])
@pytest.mark.parametrize("path", ABROAD)
def test_promise_67_a_workspace_refuses_roots_of_the_machine(name: str, path: str) -> None:
    for given in (path, f"fine\n{path}", ["fine", path]):
        with pytest.raises(Unfit, match=name):
            cells(**{name: given})


@pytest.mark.parametrize(
    "path", ["", "notes", "a/b.c", "..x", "a..b", ".hidden/x", None, ["a", "b/c"]]
)
def test_a_workspace_takes_what_lies_in_it(path: Any) -> None:
    assert cells(workspace_root=path)["in/workspace_root"] == path
