"""`run_code`: an error of the code is told with what it took; what ends it otherwise is named."""

from pathlib import Path
from typing import Any, cast

import pytest

from perdure.features.code.effects import FAILED, KIND, run_code_kind
from perdure.features.code.sandbox.sandbox import Answer, Code, Refusal, Sandbox
from perdure.kernel.model import Effect, EffectClass, Failed, Ok, Outcome
from perdure.registry.effects import EffectContext
from perdure.runner.retry import Again, after

pytestmark = pytest.mark.anyio
TOOK: dict[str, Any] = {"duration_ms": 2.5}


class Said:
    """A sandbox that answers as it is told, and remembers what was asked."""

    def __init__(self, ran: Answer | Refusal) -> None:
        self.ran = ran
        self.asked: list[Code] = []
        self.by: list[str] = []

    async def run(self, code: Code, who: str = "") -> Answer | Refusal:
        """Answer."""
        self.asked.append(code)
        self.by.append(who)
        return self.ran


async def performed(sandbox: Said) -> Outcome:
    """The outcome of one effect."""
    payload = {"code": "x", "function": "f", "input": {"a": 1}}
    effect = Effect(KIND, payload, "0", "node", EffectClass.READ)
    kind = run_code_kind(cast(Sandbox, sandbox))
    return await kind.handle(effect, cast(EffectContext, OfAlice))


class OfAlice:
    """What the effect reads of its context."""

    workspaces = Path("planes/alice/workspaces")


async def test_what_the_function_gave_is_told_with_what_it_took() -> None:
    sandbox = Said(Answer([1], None, None, TOOK, "hi\n"))
    told = {
        "success": True, "output": [1], "execution": {**TOOK, "permissions": "sandbox"}, "printed": "hi\n",
    }  # fmt: skip
    assert await performed(sandbox) == Ok(told)
    assert sandbox.asked == [Code("x", "f", {"a": 1})]
    assert sandbox.by == ["planes/alice/workspaces"], "it waits for the turn of its principal"


async def test_an_error_of_the_code_fails_the_effect_once_and_says_where() -> None:
    outcome = await performed(Said(Answer(None, "KeyError: 'b'", 4, TOOK, "")))
    assert isinstance(outcome, Failed) and (outcome.code, outcome.detail) == (
        FAILED,
        "KeyError: 'b'",
    )
    assert outcome.result["line"] == 4 and outcome.result["execution"]["duration_ms"] == 2.5
    assert not outcome.retryable


async def test_an_output_that_readers_would_take_differently_is_an_error_of_the_code() -> None:
    outcome = await performed(Said(Answer(2**60, None, None, TOOK, "")))
    assert isinstance(outcome, Failed) and "2^53" in outcome.detail


@pytest.mark.parametrize("code", ["sandbox_unavailable", "limit_reached", "code_died"])
async def test_what_did_not_run_to_an_end_says_so(code: str) -> None:
    outcome = await performed(Said(Refusal(code, "why")))
    assert outcome == Failed(code, "why")
    kind = run_code_kind(cast(Sandbox, None))
    assert not isinstance(after(Effect(KIND, {}, "0", "n"), kind, outcome, 1, 0.5), Again)
