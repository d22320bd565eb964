"""The only reader of the environment: it joins the sections of the settings and reads them all once.

Values come from, each winning over the one before: the defaults of the sections, a TOML file
(`PERDURE_CONFIG`), the environment, the command line. The names of the gateway that this
program replaces are accepted as aliases. `perdure.app.sections` says how to add a setting.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from perdure.app.sections.client import ClientSettings
from perdure.app.sections.code import CodeSettings
from perdure.app.sections.content import ContentSettings
from perdure.app.sections.credentials import CredentialSettings
from perdure.app.sections.egress import EgressSettings
from perdure.app.sections.features import FeatureSettings
from perdure.app.sections.front_door import FrontDoorSettings
from perdure.app.sections.load import LoadSettings, ShareSettings
from perdure.app.sections.logs import LogSettings
from perdure.app.sections.models import ModelSettings
from perdure.app.sections.runner import RunnerSettings
from perdure.app.sections.secrets import SecretSettings
from perdure.app.sections.server import ServerSettings
from perdure.app.sections.setting import NO, YES
from perdure.app.sections.storage import StorageSettings
from perdure.errors import Invalid

PREFIX: Final = "PERDURE_"
OLD_PREFIX: Final = "ABSTRACTGATEWAY_"
CONFIG: Final = PREFIX + "CONFIG"
PROVIDER_NAME: Final = re.compile(
    r"^PERDURE_PROVIDER_([A-Z0-9]+(?:_[A-Z0-9]+)*)_(BASE_URL|API_KEY)$"
)
LOCAL_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})
REFUSED: Final = {
    "ABSTRACTGATEWAY_SECURITY": "security cannot be switched off",
    "ABSTRACTGATEWAY_PROTECT_READ": "reads are always protected",
    "ABSTRACTGATEWAY_PROTECT_WRITE": "writes are always protected",
}
REFUSED_ON: Final = {
    "ABSTRACTGATEWAY_DEV_READ_NO_AUTH": "reads need a credential, from this machine as well",
}


def _data_home() -> Path:
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "perdure"


class Settings(
    ClientSettings,
    LogSettings,
    ShareSettings,
    RunnerSettings,
    SecretSettings,
    EgressSettings,
    FeatureSettings,
    CodeSettings,
    ModelSettings,
    LoadSettings,
    ContentSettings,
    FrontDoorSettings,
    CredentialSettings,
    ServerSettings,
    StorageSettings,
    BaseSettings,
):
    """All settings of the program. A value that cannot be meant is refused at start.

    Python reads bases from the last to the first, and so do the page of settings and `perdure settings`.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True, env_ignore_empty=True
    )

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
        old_names, file = _from_old_names(), _settings_in_file()
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, old_names),
            InitSettingsSource(settings_cls, file),
        )


def old_names(name: str) -> list[str]:
    """The environment names that a setting had in the gateway that this one replaces."""
    return [f"{OLD_PREFIX}{old}" for old in _extra(name)["old"]]


def default_text(name: str) -> str:
    """A setting's default as a reader is told it."""
    default = Settings.model_fields[name].default
    return str(_extra(name)["shown"]) or text_of(default)


def text_of(value: Any) -> str:
    """A value as it would be written in the environment; of a secret, only whether it is set."""
    match value:
        case None:
            return "unset"
        case SecretStr():
            return "set"
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value)


def _extra(name: str) -> dict[str, Any]:
    extra = Settings.model_fields[name].json_schema_extra
    return dict(extra) if isinstance(extra, dict) else {"old": [], "shown": ""}


def _from_old_names() -> dict[str, Any]:
    found = ((name, _old_value(name)) for name in Settings.model_fields)
    return {name: value for name, value in found if value is not None}


def _old_value(name: str) -> str | None:
    return next((value for old in old_names(name) if (value := os.environ.get(old))), None)


def config_path() -> Path | None:
    """The settings file that `PERDURE_CONFIG` names, if it names one."""
    path = os.environ.get(CONFIG)
    return Path(path).expanduser() if path else None


def _file() -> dict[str, Any]:
    """What the settings file says; nothing where there is none."""
    path = config_path()
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise Invalid(
            f"{CONFIG}: {path} cannot be read: {error.strerror}", setting=CONFIG
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{CONFIG}: {path} is no TOML: {error}", setting=CONFIG) from error


def _settings_in_file() -> dict[str, Any]:
    return {key: value for key, value in _file().items() if not _is_provider(key)}


def _is_provider(name: str) -> bool:
    return bool(PROVIDER_NAME.match(PREFIX + name.upper()))


def read_settings(**given: Any) -> Settings:
    """Read all settings once; `given` is what the command line says. Raises `Invalid`."""
    for names, said in ((REFUSED, NO), (REFUSED_ON, YES)):
        for name, why in names.items():
            if os.environ.get(name, "").strip().lower() in said:
                raise Invalid(f"{name} is refused: {why}", setting=name)
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise Invalid(_told(error), setting=_setting_of(error.errors()[0])) from None


def _told(error: ValidationError) -> str:
    """What is wrong with the settings, a line each. Values are left out: one may be a secret."""
    told = []
    for it in error.errors():
        what = "there is no such setting" if it["type"] == "extra_forbidden" else it["msg"]
        told.append(f"{_setting_of(it)}: {what[:1].lower()}{what[1:]}")
    return "\n".join(told)


def _setting_of(error: Any) -> str:
    return PREFIX + str(error["loc"][0]).upper() if error["loc"] else PREFIX.rstrip("_")


def variables() -> dict[str, str]:
    """Every setting that is named by its environment name, from the file and the environment.

    For what a feature reads by itself, such as the addresses and keys of providers.
    """
    file = {PREFIX + key.upper(): str(value) for key, value in _file().items()}
    return file | {
        name: value for name, value in os.environ.items() if value and name.startswith(PREFIX)
    }


def file_names() -> set[str]:
    """The environment names of what stands in the settings file."""
    return {PREFIX + key.upper() for key in _file()}


def unknown_names() -> list[str]:
    """Names in the environment that look like settings of this program and are none."""
    known = (
        {PREFIX + name.upper() for name in Settings.model_fields}
        | {CONFIG}
        | {*REFUSED, *REFUSED_ON}
    )
    for name in Settings.model_fields:
        known.update(old_names(name))
    ours = (name for name in os.environ if name.startswith((PREFIX, OLD_PREFIX)))
    return sorted(name for name in ours if name not in known and not PROVIDER_NAME.match(name))


def source_of(name: str, given: Mapping[str, Any]) -> str:
    """Where a setting's value comes from: command line, environment, file or default."""
    if given.get(name) is not None:
        return "command line"
    if os.environ.get(PREFIX + name.upper()):
        return "environment"
    for old in old_names(name):
        if os.environ.get(old):
            return f"environment ({old})"
    return "file" if name in _file() else "default"


def make_data_folder(settings: StorageSettings) -> Path:
    """Have the data directory, open to this account alone where it is new."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return settings.data_dir


def models_folder(settings: Settings) -> Path:
    """Where model files are kept."""
    return settings.models_dir or settings.data_dir / "models"
