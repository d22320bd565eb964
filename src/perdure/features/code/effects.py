"""The effect `run_code`: a piece of code in a sandbox. It reaches nothing, so it may be repeated."""

from typing import Final

from perdure.features.code.sandbox.sandbox import Answer, Code, Sandbox
from perdure.kernel.model import Effect, Failed, Ok, Outcome
from perdure.kernel.values import Json
from perdure.registry.effects import EffectContext, EffectHandler, EffectKind
from perdure.stores.values import fault_of

WAIT_S: Final = 3_600.0  # for a turn as well; how long code may take is bounded in its sandbox
KIND: Final = "run_code"
FAILED: Final = "code_failed"  # by its own doing, and not for a bound or a missing sandbox


def run_code_kind(sandbox: Sandbox) -> EffectKind:
    """How code is run in `sandbox`. What ends a keeper may have been a passing thing: it is tried once more."""
    return EffectKind(_handler(sandbox), timeout_s=WAIT_S, attempts_max=2)


def _handler(sandbox: Sandbox) -> EffectHandler:
    async def run_code(effect: Effect, context: EffectContext) -> Outcome:
        payload = effect.payload
        code = Code(payload["code"], payload["function"], payload["input"])
        ran = await sandbox.run(code, str(context.workspaces))
        if not isinstance(ran, Answer):
            return Failed(ran.code, ran.detail)
        result = result_of(ran)
        return Ok(result) if result["success"] else Failed(FAILED, result["error"], result=result)

    return run_code


def result_of(answer: Answer) -> Json:
    """What the record of the effect says. What is no JSON for every reader is an error of the code."""
    error = answer.error
    if error is None and (fault := fault_of(answer.output)):
        error = f"ValueError: the output holds {fault}"
    told: dict[str, Json] = {
        "success": error is None,
        "output": None if error else answer.output,
        "execution": {**answer.execution, "permissions": "sandbox"},
    }
    if error:
        told["error"] = error
        told["line"] = answer.line
    if answer.printed:
        told["printed"] = answer.printed
    return told
