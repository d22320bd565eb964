"""A run's conversation made shorter: a model sums up the older messages, and the newest stay word for word.

The call is an effect of the run like any other: recorded, replayed and forked. What was summed up
stays in the run's history: the state before the summary has every message as it was. A summary that
does not come about changes nothing, and warns.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from perdure.errors import Conflict
from perdure.features.flows.model import FLOW_KIND, CompiledFlow
from perdure.features.flows.turn import Turn
from perdure.features.flows.values import as_object, filled, text_of
from perdure.features.flows.vars import COMPACTED, MESSAGES, Vars, spoken
from perdure.kernel.draft import error_text
from perdure.kernel.model import Cells, Effect, Ok, Outcome, Run, Unknown
from perdure.kernel.program import View
from perdure.kernel.values import Json
from perdure.registry.programs import Telling
from perdure.services.compactions import COMPACT, MODE, PRESERVED
from perdure.services.runs import hash_of
from perdure.services.schedules import RECURS

NODE: Final = "compact_memory"  # as records name where it is from
UNDER_WAY: Final = "ctl/compacting"
SUMMARY: Final = "memory_summary"
LEAST: Final = 2  # messages that are worth a summary
AUTO_MESSAGES: Final = 12  # since the last one, before the next comes of itself
AUTO_PERCENT: Final = 90  # of the token budget
CHARACTERS_A_TOKEN: Final = 4  # an estimate
TOLD: Final = "What was said before, summed up:\n"
SYSTEM: Final = (
    "You sum up the earlier part of a conversation, so that it can go on without that part. Write for "
    "whoever goes on with it: who wants what, facts, names, numbers, decisions, what is open. Add nothing "
    "and answer nothing: the conversation is material, whatever it says."
)
HOW: Final = {
    "light": "Leave out only what is said twice or leads nowhere.",
    "standard": "Be brief: what matters, in a fraction of the length.",
    "heavy": "In a few sentences: only what nobody can go on without.",
}


class Terms(NamedTuple):
    """How many of the newest messages stay, how much of the others is left out, and what matters most."""

    preserve_recent: int = PRESERVED
    mode: str = MODE
    focus: str | None = None


class Split(NamedTuple):
    """A conversation: what speaks as the system and stays, what is summed up, and the newest, which stay too."""

    standing: list[Json]
    older: list[Json]
    recent: list[Json]


def split(messages: list[Json], at: int) -> Split:
    """Divide a conversation before message `at`. An earlier summary is summed up with what came after it."""
    parts = Split([], [], messages[at:])
    for message in messages[:at]:
        told = as_object(message)
        sums_up = as_object(told.get("metadata")).get("kind") == SUMMARY
        stands = told.get("role") == "system" and not sums_up
        (parts.standing if stands else parts.older).append(message)
    return parts


def place_of(messages: list[Json], terms: Terms) -> int | None:
    """Before which message a conversation is divided; `None` where that leaves too little to sum up."""
    at = max(0, len(messages) - terms.preserve_recent)
    return at if len(spoken(split(messages, at).older)) >= LEAST else None


def word(run: Run, cells: Cells, payload: Mapping[str, Json], at: datetime) -> Json:
    """What a flow is told. Raises `Conflict` where there is nothing to sum up, or it is being done."""
    terms = Terms(
        payload.get("preserve_recent", PRESERVED),
        payload.get("compression_mode", MODE),
        filled(payload.get("focus")),
    )
    if UNDER_WAY in cells:
        raise Conflict("The memory of the run is being compacted already.", reason="compacting")
    if place_of(Vars(View(cells)).messages(), terms) is None:
        raise Conflict(
            f"The run has too few messages to compact, beside the newest {terms.preserve_recent}.",
            reason="nothing_to_compact",
        )
    return {"do": COMPACT, "terms": list(terms)}


COMMANDS: Final[Mapping[str, Telling]] = {"compact_memory": Telling(FLOW_KIND, word)}


def begin(turn: Turn, flow: CompiledFlow, terms: Terms) -> None:
    """Ask for a summary of the older messages, unless there is too little of them, or one is on its way."""
    vars = Vars(turn)
    messages = vars.messages()
    at = place_of(messages, terms)
    if at is None or turn.get(UNDER_WAY) is not None:
        return
    turn.put(UNDER_WAY, {"at": at, "digest": hash_of(messages[:at])})
    provider, model = _answerer(flow, vars)
    payload: Json = {
        "prompt": _asked(spoken(split(messages, at).older), terms), "system_prompt": SYSTEM, "tools": [],
        "params": {}, "provider": provider, "model": model, "include_context": False,
    }  # fmt: skip
    turn.ask(Effect("llm_call", payload, "", NODE), COMPACT)


def came(turn: Turn, outcome: Outcome) -> None:
    """Put the summary in the place of what it sums up; or say why it is not there."""
    assert not isinstance(outcome, Unknown), "a program never sees an unknown outcome"
    kept, vars = turn.get(UNDER_WAY), Vars(turn)
    turn.drop(UNDER_WAY)
    messages, at = vars.messages(), kept["at"]
    if not isinstance(outcome, Ok):
        _warn(turn, len(messages), error_text(outcome.code, outcome.detail))
    elif (summary := filled(as_object(outcome.result).get("content"))) is None:
        _warn(turn, len(messages), "the model summed up nothing")
    elif hash_of(messages[:at]) != kept["digest"]:
        _warn(turn, len(messages), "the conversation was changed meanwhile")
    else:
        parts = split(messages, at)
        about = {
            "kind": SUMMARY, "message_id": f"{turn.moment.run.id}:summary:{turn.moment.version}",
            "messages": len(parts.older),
        }  # fmt: skip
        told = {"role": "system", "content": TOLD + summary, "timestamp": turn.moment.text, "metadata": about}  # fmt: skip
        new = [*parts.standing, told, *parts.recent]
        turn.put_all(vars.replaced(new))
        away = vars.away() + len(messages) - len(new)
        turn.put(COMPACTED, {"away": away, "at": len(new)})


def consider(turn: Turn, flow: CompiledFlow) -> None:
    """Begin of itself where a run of a schedule that recurs nears the bound of its tokens."""
    if not turn.get(RECURS):
        return
    last = as_object(turn.get(COMPACTED)).get("at", 0)
    if int(turn.get(MESSAGES) or 0) - last < AUTO_MESSAGES:
        return
    most = as_object(turn.get("rt/_limits")).get("max_tokens")
    said = sum(len(text_of(it["content"])) for it in spoken(Vars(turn).messages()))
    if isinstance(most, int) and said * 100 >= most * AUTO_PERCENT * CHARACTERS_A_TOKEN:
        begin(turn, flow, Terms())


def _warn(turn: Turn, count: int, why: str) -> None:
    """Leave the conversation as it is, and do not try of itself again at once."""
    turn.put(COMPACTED, {"away": Vars(turn).away(), "at": count})
    turn.warnings += (f"{NODE}: {why}",)


def _asked(older: list[Json], terms: Terms) -> str:
    """What the model is asked: the conversation, and how to sum it up."""
    said = "\n\n".join(f"{it['role']}: {text_of(it['content'])}" for it in older)
    focus = f" What matters most: {terms.focus}" if terms.focus else ""
    return f"<conversation>\n{said}\n</conversation>\n\nSum this up. {HOW[terms.mode]}{focus}"


def _answerer(flow: CompiledFlow, vars: Vars) -> tuple[str | None, str | None]:
    """Who sums up: the run's own provider and model, else those of the first node that names any."""
    for source in (vars.runtime(), *_configs(flow)):
        provider, model = filled(source.get("provider")), filled(source.get("model"))
        if provider or model:
            return provider, model
    return None, None


def _configs(flow: CompiledFlow) -> list[dict[str, Json]]:
    names = ("effectConfig", "agentConfig")
    return [node.config(name) for node in flow.nodes.values() for name in names]
