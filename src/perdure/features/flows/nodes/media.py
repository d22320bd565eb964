"""Nodes that make or read pictures, films and sound: calls of a model with another output than text."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from perdure.features.flows.model import (
    Answer,
    Asked,
    Exec,
    NodeType,
    Passed,
    Visit,
    described,
)
from perdure.features.flows.nodes.asking import said
from perdure.features.flows.nodes.models import choice
from perdure.features.flows.values import Pins, as_list, as_object, text_of
from perdure.kernel.model import Effect, Reason, Wait
from perdure.kernel.values import Json

OUT: Final = "artifact_ref artifact_id content_type outputs meta success"
DRAW: Final = "width height steps seed seeds count guidance_scale guidance_2 negative_prompt lora_adapters format"
FILM: Final = "width height frames fps steps seed guidance_scale guidance_2 negative_prompt format"
FROM: Final = {
    "image": "source_image_artifact",
    "audio": "source_audio_artifact",
    "image_artifact": "source_image_artifact",
    "audio_artifact": "source_audio_artifact",
}


def _makes(modality: str, takes: str, what: str) -> Exec:
    """A node whose model call asks for this modality."""
    made = f"{'audio' if modality in ('voice', 'music') else modality}_artifact"
    pins = f"prompt {modality}_provider {modality}_model {takes} extra -> {made} {OUT}"
    names = tuple(takes.split())

    def begin(visit: Visit) -> Asked:
        return _call(visit, modality, names)

    def finish(_visit: Visit, answer: Answer) -> Passed:
        return _made(answer.result, made)

    return described(Exec(begin, finish), pins, what)


def _call(visit: Visit, modality: str, names: tuple[str, ...]) -> Asked:
    node, drawn = visit.node, visit.node.config("effectConfig")
    wished = said(visit, names)
    sources = [wished.pop(name) for name in names if name in FROM and name in wished]
    payload: Pins = {
        "prompt": text_of(visit.pins.get("prompt") or visit.pins.get("text")),
        "provider": choice(visit, drawn, f"{modality}_provider")
        or choice(visit, drawn, "provider"),
        "model": choice(visit, drawn, f"{modality}_model") or choice(visit, drawn, "model"),
        "output": {
            "modality": modality,
            "task": node.type,
            **wished,
            **as_object(visit.pins.get("extra")),
        },
    }
    if sources:
        payload["media"] = [it for source in sources for it in as_list(source)]
    return Asked(Effect("llm_call", payload, "", node.id, result_key=node.result_key))


def _made(result: Json, name: str) -> Passed:
    """What was made is an artifact, and the first of the outputs."""
    told = as_object(result)
    outputs = as_list(told.get("outputs"))
    first = as_object(told.get("artifact") or next(iter(outputs), None))
    output: Pins = {
        name: first or None,
        "artifact_ref": first or None,
        "artifact_id": first.get("artifact_id") or first.get("$artifact"),
        "content_type": first.get("content_type"),
        "outputs": outputs,
        "meta": as_object(told.get("metadata")),
        "success": True,
    }
    return Passed(output, ambient=False, ending={"success": True, "result": result})


# --- sound to text -----------------------------------------------------------------------------


def _transcribe(visit: Visit) -> Asked:
    return _call(visit, "text", ("audio_artifact", "language", "format"))


def _transcribed(_visit: Visit, answer: Answer) -> Passed:
    made = _made(answer.result, "transcript_artifact")
    told = as_object(answer.result)
    text = text_of(told.get("text") or told.get("content"))
    return replace(made, output={"text": text, **as_object(made.output)})


def _listen(visit: Visit) -> Asked:
    """Ask a person to speak: the answer is the sound."""
    node = visit.node
    prompt = text_of(visit.pins.get("prompt")) or "Please speak:"
    wait = Wait(
        tag="", node_id=node.id, reason=Reason.USER, kind="ask_user", prompt=prompt,
        key=f"user:{visit.moment.run.id}:{node.id}", details={"kind": "voice"}, result_key=node.result_key,
        payload={"prompt": prompt, "choices": [], "allow_free_text": True, "input": "audio"},
    )  # fmt: skip
    return Asked(wait)


def _spoken(_visit: Visit, answer: Answer) -> Passed:
    told = as_object(answer.result)
    text = text_of(told.get("text") or told.get("response"))
    output = {"audio_artifact": told.get("audio_artifact") or told.get("artifact"), "text": text}
    return Passed(output, ambient=False, ending={"success": True, "result": answer.result})


_EDIT: Final = _makes("image", f"image_artifact strength {DRAW}", "Makes a picture of a picture.")
_FILM: Final = _makes("video", FILM, "Makes a film of a text.")

TYPES: Final[Mapping[str, NodeType]] = {
    "generate_image": _makes("image", DRAW, "Makes a picture of a text."),
    "edit_image": _EDIT,
    "image_to_image": _EDIT,
    "upscale_image": _makes(
        "image", "image_artifact scale width height format", "Makes a picture larger."
    ),
    "generate_video": _FILM,
    "text_to_video": _FILM,
    "image_to_video": _makes("video", f"image_artifact {FILM}", "Makes a film of a picture."),
    "generate_voice": _makes("voice", "text voice speed format", "Speaks a text."),
    "generate_music": _makes("music", "lyrics duration_s seed format", "Makes music of a text."),
    "transcribe_audio": described(
        Exec(_transcribe, _transcribed),
        f"audio_artifact language text_provider text_model format -> text transcript_artifact {OUT}",
        "Writes down what is said in a sound.",
    ),
    "listen_voice": described(
        Exec(_listen, _spoken),
        "prompt -> audio_artifact text",
        "Asks a person to speak and waits for the sound.",
    ),
}
