"""Pictures, films and sound: without a model that makes them the run says so."""

from perdure.kernel.model import Ok
from perdure.kernel.values import Json
from tests.support.tables import Row, Table, passing, row, told

NOTHING_HERE = "not_configured: "
IMAGE = {"$artifact": "a1", "artifact_id": "a1", "content_type": "image/png"}
SOUND = {"$artifact": "a2", "artifact_id": "a2", "content_type": "audio/wav"}


def _made(type: str, pin: str, made: dict[str, Json], *pins: str) -> list[Table]:
    return [
        passing(type, "prompt", *pins, out=f"{pin} artifact_id content_type").rows(
            told(Row({"prompt": "p"}, {pin: made, "artifact_id": made["artifact_id"], "content_type": made["content_type"], "success": True}),
                 effects={"llm_call": Ok({"outputs": [made]})}),
            row({"prompt": "p"}, fails=NOTHING_HERE),
        )
    ]  # fmt: skip


TABLES = {
    **{name: _made(name, "image_artifact", IMAGE, "width") for name in ("generate_image", "edit_image", "image_to_image", "upscale_image")},
    **{name: _made(name, "video_artifact", IMAGE, "fps") for name in ("generate_video", "text_to_video", "image_to_video")},
    "generate_voice": _made("generate_voice", "audio_artifact", SOUND, "voice"),
    "generate_music": _made("generate_music", "audio_artifact", SOUND, "lyrics"),
    "transcribe_audio": [
        passing("transcribe_audio", "audio_artifact", out="text").rows(
            told(row({"audio_artifact": SOUND}, text="hello"), effects={"llm_call": Ok({"text": "hello"})}),
            row({"audio_artifact": SOUND}, fails=NOTHING_HERE),
        )
    ],
    "listen_voice": [
        passing("listen_voice", "prompt", out="audio_artifact text").rows(
            told(row({"prompt": "Speak"}, audio_artifact=SOUND, text="hello"), acts=(("it", {"audio_artifact": SOUND, "text": "hello"}),)),
        )
    ],
}  # fmt: skip
