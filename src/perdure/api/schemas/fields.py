"""Fields that many bodies and parameters share, each with its bound."""

from typing import Annotated, Any, Final

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from perdure.clock import text_of, time_of
from perdure.ids import ArtifactId, CommandId, RunId, SessionId
from perdure.kernel.limits import INTEGER_MAX

ID_LETTERS_MAX: Final = 256
TEXT_LETTERS_MAX: Final = 1_000
PLAIN: Final = r"^[^\x00-\x1f\x7f]*$"  # without control characters, which no id needs


class Body(BaseModel):
    """A JSON body as it comes in: each field of its own type, and nothing made of another."""

    model_config = ConfigDict(strict=True)


def _moment(text: str | None) -> str | None:
    """Read a time, and write it as the stores do."""
    return text_of(time_of(text)) if text else None


Id = Annotated[str, Field(max_length=ID_LETTERS_MAX, pattern=PLAIN)]
Words = Annotated[str, Field(max_length=TEXT_LETTERS_MAX, pattern=PLAIN)]
JsonObject = dict[str, Any]

RunIdPath = Annotated[RunId, Path(max_length=ID_LETTERS_MAX, pattern=PLAIN)]
SessionIdPath = Annotated[SessionId, Path(max_length=ID_LETTERS_MAX, pattern=PLAIN)]
ArtifactIdPath = Annotated[ArtifactId, Path(max_length=ID_LETTERS_MAX, pattern=PLAIN)]
CommandIdPath = Annotated[CommandId, Path(max_length=ID_LETTERS_MAX, pattern=PLAIN)]
NamePath = Annotated[str, Path(max_length=ID_LETTERS_MAX, pattern=PLAIN)]

When = Annotated[str | None, Field(max_length=64, description="RFC 3339"), AfterValidator(_moment)]
Seconds = Annotated[float, Field(gt=0, le=INTEGER_MAX, allow_inf_nan=False)]
Seq = Annotated[int, Query(ge=0, le=INTEGER_MAX)]
