"""What a run is born with: a cell for each input, what is known beside them, and nothing forged."""

from datetime import timedelta
from typing import Any

import pytest

from perdure.clock import text_of
from perdure.errors import Unfit
from perdure.ids import RunId
from perdure.kernel.limits import Limits
from perdure.kernel.model import Deadline, ProgramRef
from perdure.services.births import (
    DEADLINE_S_MAX,
    LIMITS_DEFAULT,
    PROMPT_LETTERS_MAX,
    Chosen,
    StartRequest,
    artifacts_in,
    birth_of,
    cells_of,
    deadline_of,
    inputs_of,
    prompt_of,
)
from tests.support.clock import START

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


def later(seconds: float) -> str:
    return text_of(START + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("deadline", "timeout_s", "seconds"),
    [(later(60), None, 60), (None, 60, 60), (later(60), 90.5, 60), (later(60), 0.5, 0.5),
     (None, DEADLINE_S_MAX, DEADLINE_S_MAX), (None, None, None)],
)  # fmt: skip
def test_a_deadline_is_the_earlier_of_a_time_and_a_length(
    deadline: str | None, timeout_s: float | None, seconds: float | None
) -> None:
    request = StartRequest({}, deadline=deadline, timeout_s=timeout_s)
    expected = None if seconds is None else Deadline(later(seconds), RunId("r"))
    assert deadline_of(request, RunId("r"), START) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [("deadline", later(0)), ("deadline", later(-60)), ("deadline", later(DEADLINE_S_MAX + 1)),
     ("timeout_s", DEADLINE_S_MAX + 1), ("timeout_s", 1e300), ("timeout_s", 0.0000001), ("timeout_s", -1)],
)  # fmt: skip
def test_a_deadline_that_has_passed_or_is_too_far_ahead_is_refused(name: str, value: Any) -> None:
    with pytest.raises(Unfit, match=name) as refused:
        deadline_of(StartRequest({})._replace(**{name: value}), RunId("r"), START)
    assert refused.value.facts == {"field": name}


def test_a_request_without_a_deadline_is_the_one_that_it_was_before_there_were_any() -> None:
    assert not {"deadline", "timeout_s"} & set(StartRequest({}).body())
    assert StartRequest({}, timeout_s=5).body()["timeout_s"] == 5
