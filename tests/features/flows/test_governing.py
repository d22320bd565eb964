"""A drawing says how often an effect is tried and how long it may take, within bounds, and no more."""

import pytest

from perdure.features.flows.governing import ATTEMPTS_MAX, BACKOFF_S_MAX, TIMEOUT_S_MAX
from perdure.kernel.model import Effect, EffectClass, Status
from perdure.kernel.values import Json
from tests.support.drawing import a_flow, a_node, a_start, an_end
from tests.support.flowing import Flowing

DRAWN: dict[str, tuple[dict[str, Json], tuple[int | None, float | None, float | None]]] = {
    "nothing": ({}, (None, None, None)),
    "tries": ({"retry": {"attempts": 3}}, (3, None, None)),
    "a pause between them": ({"retry": {"attempts": 2, "backoff_s": 1.5}}, (2, 1.5, None)),
    "a time for each": ({"timeout_s": 30}, (None, None, 30.0)),
    "nulls say nothing": ({"retry": {"attempts": None}, "timeout_s": None}, (None, None, None)),
    "the most": (
        {"retry": {"attempts": ATTEMPTS_MAX, "backoff_s": BACKOFF_S_MAX}, "timeout_s": TIMEOUT_S_MAX},
        (ATTEMPTS_MAX, BACKOFF_S_MAX, TIMEOUT_S_MAX),
    ),
}  # fmt: skip
WRONG: dict[str, dict[str, Json]] = {
    "too many tries": {"retry": {"attempts": ATTEMPTS_MAX + 1}},
    "no try": {"retry": {"attempts": 0}},
    "a truth for a number": {"retry": {"attempts": True}},
    "a pause before its time": {"retry": {"backoff_s": -1}},
    "a pause too long": {"retry": {"backoff_s": BACKOFF_S_MAX + 1}},
    "text for a time": {"timeout_s": "30"},
    "no time": {"timeout_s": 0},
    "too long": {"timeout_s": TIMEOUT_S_MAX + 1},
}


def running(drawn: dict[str, Json]) -> Flowing:
    """A run that stands at an effect of a node drawn so."""
    flow = a_flow(
        {"start": a_start(), "it": a_node("llm_call", **drawn), "end": an_end()},
        "start -> it -> end",
    )
    return Flowing(flow).start()


@pytest.mark.parametrize(("drawn", "bound"), DRAWN.values(), ids=DRAWN)
def test_what_a_drawing_says_of_an_effect(
    drawn: dict[str, Json], bound: tuple[int | None, float | None, float | None]
) -> None:
    effect = running(drawn).open_at("it").what
    assert isinstance(effect, Effect)
    assert (effect.attempts_max, effect.backoff_s, effect.timeout_s) == bound
    assert effect.effect_class is EffectClass.READ


@pytest.mark.parametrize("drawn", WRONG.values(), ids=WRONG)
def test_bounds_that_are_none_fail_the_run(drawn: dict[str, Json]) -> None:
    run = running(drawn)
    assert run.status is Status.FAILED
    assert (run.error or "").startswith("bad_input: it: ")


def test_a_wait_has_neither() -> None:
    flow = a_flow(
        {"start": a_start(), "it": a_node("ask_user", "prompt", retry={"attempts": 2}), "end": an_end()},
        "start -> it -> end",
    )  # fmt: skip
    assert Flowing(flow).start().status is Status.WAITING
