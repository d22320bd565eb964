"""The only reader of the environment: every name, its source, its default, and what it means.

Values come from, each winning over the one before: the defaults below, a TOML file
(`PERDURE_CONFIG`), the environment, the command line. The names of the gateway that this
program replaces are accepted as aliases.
"""

import os
import re
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from perdure.errors import Invalid

PREFIX: Final = "PERDURE_"
OLD_PREFIX: Final = "ABSTRACTGATEWAY_"
PROVIDER_NAME: Final = re.compile(
    r"^PERDURE_PROVIDER_([A-Z0-9]+(?:_[A-Z0-9]+)*)_(BASE_URL|API_KEY)$"
)
LOCAL_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})
REFUSED: Final = {
    "ABSTRACTGATEWAY_SECURITY": "security cannot be switched off",
    "ABSTRACTGATEWAY_PROTECT_READ": "reads are always protected",
    "ABSTRACTGATEWAY_PROTECT_WRITE": "writes are always protected",
}


def _setting(default: Any, meaning: str, *old: str, **more: Any) -> Any:
    """One setting: its default, one line of meaning, and the names it had elsewhere."""
    return Field(default, description=meaning, json_schema_extra={"old": list(old)}, **more)


def _data_home() -> Path:
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "perdure"


class Settings(BaseSettings):
    """All settings of the program. A value that cannot be meant is refused at start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True
    )

    data_dir: Path = _setting(None, "where everything is kept", "DATA_DIR")
    database_url: SecretStr | None = _setting(
        None, "a Postgres to keep runs in, instead of SQLite under the data directory"
    )
    sqlite_synchronous: Literal["FULL", "NORMAL"] = _setting(
        "FULL", "NORMAL is faster and may lose acknowledged records when the power fails"
    )
    host: str = _setting("127.0.0.1", "the address to listen on", "HOST")
    port: int = _setting(8080, "the port to listen on", "PORT", ge=0, le=65535)
    auth_token: SecretStr | None = _setting(
        None,
        "the one token of single-token mode; made at the first start where there is none",
        "AUTH_TOKEN",
    )
    auth_token_file: Path | None = _setting(None, "a file that holds the token")
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = _setting(
        ("http://localhost:*", "http://127.0.0.1:*"),
        "browser origins that may ask, separated by commas; `*` stands for a port or a label",
        "ALLOWED_ORIGINS",
    )
    max_body_bytes: int = _setting(256_000, "the largest request body", "MAX_BODY_BYTES", ge=1024)
    max_bundle_bytes: int = _setting(
        75 * 1024 * 1024, "the largest bundle to upload", "MAX_BUNDLE_BYTES", ge=1024
    )
    max_concurrency: int = _setting(64, "requests answered at once", "MAX_CONCURRENCY", ge=1)
    max_streams: int = _setting(2_000, "ledger streams open at once", "MAX_SSE", ge=1)
    provider: str | None = _setting(None, "the provider of the route `output.text`")
    model: str | None = _setting(None, "the model of the route `output.text`")
    models_dir: Path | None = _setting(
        None, "where model files are kept; `models` under the data directory"
    )
    embedded_model: bool = _setting(
        True, "answer with the small built-in model where nothing else is named"
    )
    lease_s: float = _setting(
        15.0, "how long a process holds an effect without renewing, in seconds", gt=0
    )
    poll_s: float = _setting(20.0, "the runner's slow look at the store, in seconds", gt=0)
    stop_s: float = _setting(
        3.0, "how long effects under way may take to end at a stop, in seconds", ge=0
    )
    runs_at_once: int = _setting(256, "runs of one plane driven side by side", ge=1)
    effects_at_once: int = _setting(1_024, "effects of one plane performed side by side", ge=1)
    log_level: Literal["debug", "info", "warning", "error"] = _setting("info", "how much is logged")
    log_format: Literal["json", "text"] = _setting("text", "how log lines are written")
    url: str | None = _setting(None, "the gateway that the command line talks to")
    token: SecretStr | None = _setting(None, "the token that the command line shows")

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("data_dir", mode="before")
    @classmethod
    def _data_dir(cls, value: Any) -> Any:
        return value or _data_home()

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:  # fmt: skip
        """Command line over environment over file."""
        sources = [init_settings, env_settings, _OldNames(settings_cls)]
        if path := os.environ.get(PREFIX + "CONFIG"):
            sources.append(TomlConfigSettingsSource(settings_cls, toml_file=path))
        return tuple(sources)


def _old_names(field: FieldInfo) -> list[str]:
    extra = field.json_schema_extra
    return [str(name) for name in extra["old"]] if isinstance(extra, dict) else []  # type: ignore[union-attr]


class _OldNames(PydanticBaseSettingsSource):
    """The environment names of the gateway that this one replaces."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """The value under an old name, if it is set."""
        for old in _old_names(field):
            if value := os.environ.get(OLD_PREFIX + old):
                return value, field_name, False
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """All values under old names."""
        found = {}
        for name, field in self.settings_cls.model_fields.items():
            value, _, _ = self.get_field_value(field, name)
            if value is not None:
                found[name] = value
        return found


def read_settings(**given: Any) -> Settings:
    """Read all settings once; `given` is what the command line says. Raises `Invalid`."""
    for name, why in REFUSED.items():
        if os.environ.get(name, "").strip().lower() in ("0", "false", "no", "off"):
            raise Invalid(f"{name} is refused: {why}", setting=name)
    return Settings(**{name: value for name, value in given.items() if value is not None})


def providers() -> Mapping[str, tuple[str | None, SecretStr | None]]:
    """The providers that the environment names: name → (base URL, API key)."""
    found: dict[str, dict[str, str]] = {}
    for name, value in os.environ.items():
        if (match := PROVIDER_NAME.match(name)) and value:
            found.setdefault(match[1].lower().replace("_", "-"), {})[match[2]] = value
    return {
        name: (parts.get("BASE_URL"), SecretStr(parts["API_KEY"]) if "API_KEY" in parts else None)
        for name, parts in sorted(found.items())
    }


def source_of(name: str, given: Mapping[str, Any]) -> str:
    """Where a setting's value comes from: command line, environment, file or default."""
    if given.get(name) is not None:
        return "command line"
    if os.environ.get(PREFIX + name.upper()):
        return "environment"
    for old in _old_names(Settings.model_fields[name]):
        if os.environ.get(OLD_PREFIX + old):
            return f"environment ({OLD_PREFIX}{old})"
    path = os.environ.get(PREFIX + "CONFIG")
    return "file" if path and name in Path(path).read_text() else "default"


def token_of(settings: Settings) -> SecretStr:
    """The token of single-token mode: as set, as in its file, or made once and kept 0600."""
    if settings.auth_token is not None:
        return settings.auth_token
    path = settings.auth_token_file or settings.data_dir / "token"
    if not path.exists():
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write("agw_" + secrets.token_urlsafe(32) + "\n")
    text = path.read_text().strip()
    if not text:
        raise Invalid(f"the token file {path} is empty", setting="auth_token_file")
    return SecretStr(text)


def holder_name() -> str:
    """A name for this process in leases."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
