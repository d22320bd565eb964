"""How one setting is written down, and the kinds of values that several sections have."""

from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

YES: Final = ("1", "true", "yes", "on")
NO: Final = ("0", "false", "no", "off")

T = TypeVar("T")


def setting(default: Any, meaning: str, *old: str, shown: str = "", **more: Any) -> Any:
    """One setting: its default (and how to print it), one line of meaning, the names it had elsewhere."""
    extra: dict[str, Any] = {"old": list(old), "shown": shown}
    return Field(default, description=meaning, json_schema_extra=extra, **more)


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _whole(path: Path) -> Path:
    return path.expanduser().absolute()


Listed = Annotated[tuple[T, ...], NoDecode, BeforeValidator(_split)]  # separated by commas
WholePath = Annotated[Path, AfterValidator(_whole)]  # the same wherever the program is started
