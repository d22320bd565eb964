"""Whoever tries out code is always answered: with its output, its error, or why it did not run."""

from typing import cast

import anyio
import pytest

from perdure.features.code import simulate
from perdure.features.code.sandbox.sandbox import Answer, Code, Refusal, Sandbox
from perdure.features.code.simulate import simulated
from perdure.kernel.values import Json
from tests.features.code.test_effects import Said

pytestmark = pytest.mark.anyio

SHOWN: dict[str, tuple[Answer | Refusal, str, bool, str | None]] = {
    "an output": (Answer(1, None, None, {}, "hi"), "run", True, None),
    "an error": (Answer(None, "KeyError: 'a'", 2, {}, ""), "run", True, "KeyError: 'a'"),
    "no Python": (Answer(None, "SyntaxError: bad", 1, {}, ""), "compile", True, "SyntaxError: bad"),
    "a bound": (Refusal("limit_reached", "long"), "limit", True, "limit_reached: long"),
    "a death": (Refusal("code_died", "gone"), "run", True, "code_died: gone"),
    "no sandbox": (Refusal("sandbox_unavailable", "old"), "policy", False, "sandbox_unavailable: old"),
}  # fmt: skip


async def told(ran: Answer | Refusal, mode: str = "sandbox") -> Json:
    """What is said of code that came to this."""
    return await simulated(cast(Sandbox, Said(ran)), Code("x", "f", 1), mode)


@pytest.mark.parametrize(("ran", "phase", "allowed", "error"), SHOWN.values(), ids=SHOWN)
async def test_what_is_said(
    ran: Answer | Refusal, phase: str, allowed: bool, error: str | None
) -> None:
    said = await told(ran)
    assert (said["error"], said["ok"], said["success"]) == (error, error is None, error is None)
    diagnostics = said["diagnostics"]
    assert (diagnostics["phase"], diagnostics["allowed"]) == (phase, allowed)
    assert diagnostics["effective_mode"] == ("sandbox" if allowed else None)
    assert said["execution"]["permissions"] == "sandbox"


async def test_it_waits_for_the_turn_of_who_asks() -> None:
    sandbox = Said(Answer(1, None, None, {}, ""))
    await simulated(cast(Sandbox, sandbox), Code("x", "f", 1), "", "alice")
    assert sandbox.by == ["alice"]


async def test_nobody_gets_out_of_the_sandbox() -> None:
    sandbox = Said(Answer(1, None, None, {}, ""))
    said = await simulated(cast(Sandbox, sandbox), Code("x", "f", 1), "full_access")
    assert said["ok"] is False and said["diagnostics"]["allowed"] is False
    assert sandbox.asked == []


async def test_nobody_waits_for_ever_for_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        async def run(self, _code: Code, _who: str) -> Answer:
            await anyio.sleep_forever()
            raise AssertionError

    monkeypatch.setattr(simulate, "PATIENCE_S", 0.01)
    said = await simulated(cast(Sandbox, Full()), Code("x", "f", 1), "")
    assert "later" in said["error"] and said["diagnostics"]["phase"] == "limit"
