"""Fields that many bodies and parameters share, each with its bound."""

import re
from typing import Annotated, Any, Final

from fastapi import Path, Query
from pydantic import AfterValidator, Field

from perdure.clock import text_of, time_of
from perdure.ids import ArtifactId, CommandId, RunId, SessionId
from perdure.kernel.limits import INTEGER_MAX

ID_LETTERS_MAX: Final = 256
TEXT_LETTERS_MAX: Final = 1_000
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def _printable(text: str | None) -> str | None:
    """Refuse what is no letter; some of it no database takes."""
    if text is not None and _CONTROL.search(text):
        raise ValueError("a control character has no place here")
    return text


def _moment(text: str | None) -> str | None:
    """Read a time, and write it as the stores do."""
    return text_of(time_of(text)) if text else None


Printable = AfterValidator(_printable)
Id = Annotated[str, Field(max_length=ID_LETTERS_MAX), Printable]
Words = Annotated[str, Field(max_length=TEXT_LETTERS_MAX), Printable]
JsonObject = dict[str, Any]

RunIdPath = Annotated[RunId, Path(max_length=ID_LETTERS_MAX), Printable]
SessionIdPath = Annotated[SessionId, Path(max_length=ID_LETTERS_MAX), Printable]
ArtifactIdPath = Annotated[ArtifactId, Path(max_length=ID_LETTERS_MAX), Printable]
CommandIdPath = Annotated[CommandId, Path(max_length=ID_LETTERS_MAX), Printable]
NamePath = Annotated[str, Path(max_length=ID_LETTERS_MAX), Printable]

When = Annotated[str | None, Field(max_length=64, description="RFC 3339"), AfterValidator(_moment)]
Seq = Annotated[int, Query(ge=0, le=INTEGER_MAX)]
