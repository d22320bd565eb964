"""Trying out a piece of code before it is drawn into a flow: run as a flow would run it, and nothing kept."""

from typing import Final

import anyio

from perdure.features.code.effects import result_of
from perdure.features.code.sandbox.sandbox import Answer, Code, Refusal, Sandbox
from perdure.kernel.values import Json

SANDBOX: Final = "sandbox"
# What editors call it; there is no other mode, since code never runs outside of the sandbox.
SPELLINGS: Final = frozenset({"", "safe", "protected", "restricted", "sandboxed", SANDBOX})
PATIENCE_S: Final = 90.0  # for a turn and the run together; a request does not wait for ever
PHASES: Final = {"limit_reached": "limit", "sandbox_unavailable": "policy"}


async def simulated(sandbox: Sandbox, code: Code, mode: str, who: str = "") -> dict[str, Json]:
    """What came of the code of `who`, as editors are told: an error of the code is an answer like any other."""
    allowed = mode.strip().lower() in SPELLINGS
    if not allowed:
        refused = "code runs in the sandbox alone; full access to the host is not given to anybody"
        return _told(mode, _failed(refused), "policy", allowed=False)
    ran: Answer | Refusal = Refusal("limit_reached", "other code has every turn; try again later")
    with anyio.move_on_after(PATIENCE_S):
        ran = await sandbox.run(code, who)
    if isinstance(ran, Answer):
        result = result_of(ran)
        return _told(mode, result, _phase_of(result), allowed=True)
    result = {**_failed(f"{ran.code}: {ran.detail}"), "printed": ran.printed}
    phase = PHASES.get(ran.code, "run")
    return _told(mode, result, phase, allowed=ran.code != "sandbox_unavailable")


def _failed(why: str) -> dict[str, Json]:
    return {"success": False, "output": None, "error": why, "execution": {"permissions": SANDBOX}}


def _phase_of(result: Json) -> str:
    error = result.get("error") or ""
    return "compile" if error.startswith(("SyntaxError", "IndentationError", "TabError")) else "run"


def _told(mode: str, result: Json, phase: str, *, allowed: bool) -> dict[str, Json]:
    return {
        "ok": result["success"], "success": result["success"], "output": result["output"],
        "execution": result["execution"], "error": result.get("error"),
        "diagnostics": {
            "source": "gateway", "phase": phase, "requested_mode": mode,
            "effective_mode": SANDBOX if allowed else None, "allowed": allowed,
            "line": result.get("line"), "printed": result.get("printed", ""),
        },
    }  # fmt: skip
