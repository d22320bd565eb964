"""Nodes that speak with a person."""

from collections.abc import Mapping
from typing import Final

from perdure.clock import text_of as time_text
from perdure.features.flows.model import (
    PLAIN,
    Answer,
    Asked,
    Exec,
    NodeType,
    Passed,
    Visit,
    described,
)
from perdure.features.flows.nodes.events import TIMEOUT, deadline, timed
from perdure.features.flows.values import as_list, as_object, text_of
from perdure.kernel.model import Effect, Reason, Wait
from perdure.kernel.values import Json

LEVELS = {
    "warn": "warning",
    "info": "message",
    "message": "message",
    "warning": "warning",
    "error": "error",
}
NO_PROMPT = "Please respond:"


def _ask(visit: Visit) -> Asked:
    node, pins = visit.node, visit.pins
    choices = [text_of(choice) for choice in as_list(pins.get("choices")) if choice is not None]
    free = bool(node.config("effectConfig").get("allowFreeText", True))
    prompt = text_of(pins.get("prompt", NO_PROMPT))
    payload: dict[str, Json] = {"prompt": prompt, "choices": choices, "allow_free_text": free}
    until = deadline(visit)
    if until is not None:
        payload["until"] = time_text(until)
    wait = Wait(
        tag="", node_id=node.id, reason=Reason.USER, kind="ask_user", until=until,
        key=f"user:{visit.moment.run.id}:{node.id}", prompt=prompt, choices=tuple(choices) or None,
        allow_free_text=free, result_key=node.result_key, payload=payload,
    )  # fmt: skip
    return Asked(wait)


def _asked(visit: Visit, answer: Answer) -> Passed:
    return timed(visit, answer, {"response": None, **as_object(answer.result)})


def _tell(visit: Visit) -> Asked:
    node, pins = visit.node, visit.pins
    level = LEVELS.get(text_of(pins.get("level")).strip().lower(), "message")
    payload = {"message": text_of(pins.get("message")), "level": level}
    return Asked(Effect("answer_user", payload, "", node.id, result_key=node.result_key))


def _told(visit: Visit, answer: Answer) -> Passed:
    return answered(as_object(answer.result), answer)


def answered(output: dict[str, object], answer: Answer) -> Passed:
    """How an effect node goes on: its pins are set, and `_last_output` stays what it was."""
    ending = {"success": True, "result": answer.result}
    return Passed(output, ambient=False, ending=ending)


TYPES: Final[Mapping[str, NodeType]] = {
    "ask_user": described(
        Exec(_ask, _asked, (PLAIN, TIMEOUT)),
        "prompt choices timeout_s -> response timed_out",
        "Asks a person and waits for the answer. With `timeout_s` it gives up as `wait_event` does.",
        "`effectConfig`: `allowFreeText`, `timeout_s`",
    ),
    "answer_user": described(
        Exec(_tell, _told),
        "message level -> message level",
        "Says something to whoever watches, and goes on.",
    ),
}
