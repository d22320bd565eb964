"""The only reader of the environment: every name, its source, its default, and what it means.

Values come from, each winning over the one before: the defaults below, a TOML file
(`PERDURE_CONFIG`), the environment, the command line. The names of the gateway that this
program replaces are accepted as aliases.
"""

import contextlib
import os
import re
import secrets
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, FilePath, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from perdure.api.cookies import CookieNames
from perdure.errors import Invalid

PREFIX: Final = "PERDURE_"
OLD_PREFIX: Final = "ABSTRACTGATEWAY_"
CONFIG: Final = PREFIX + "CONFIG"
PROVIDER_NAME: Final = re.compile(
    r"^PERDURE_PROVIDER_([A-Z0-9]+(?:_[A-Z0-9]+)*)_(BASE_URL|API_KEY)$"
)
YES, NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
LOCAL_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})
REFUSED: Final = {
    "ABSTRACTGATEWAY_SECURITY": "security cannot be switched off",
    "ABSTRACTGATEWAY_PROTECT_READ": "reads are always protected",
    "ABSTRACTGATEWAY_PROTECT_WRITE": "writes are always protected",
}
REFUSED_ON: Final = {
    "ABSTRACTGATEWAY_DEV_READ_NO_AUTH": "reads need a credential, from this machine as well",
}


def _setting(default: Any, meaning: str, *old: str, shown: str = "", **more: Any) -> Any:
    """One setting: its default (and how to print it), one line of meaning, the names it had elsewhere."""
    extra: dict[str, Any] = {"old": [OLD_PREFIX + name for name in old], "shown": shown}
    return Field(default, description=meaning, json_schema_extra=extra, **more)


def _data_home() -> Path:
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "perdure"


class Settings(BaseSettings):
    """All settings of the program. A value that cannot be meant is refused at start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True, env_ignore_empty=True
    )

    data_dir: Path = _setting(
        None, "where everything is kept", "DATA_DIR", shown="~/.local/share/perdure"
    )
    database_url: SecretStr | None = _setting(
        None, "a Postgres to keep runs in, instead of SQLite under the data directory"
    )
    sqlite_synchronous: Literal["FULL", "NORMAL"] = _setting(
        "FULL", "NORMAL is faster and may lose acknowledged records when the power fails"
    )
    host: str = _setting("127.0.0.1", "the address to listen on", "HOST")
    port: int = _setting(
        8080, "the port to listen on; 0 takes one that is free", "PORT", ge=0, le=65535
    )
    auth_token: SecretStr | None = _setting(
        None,
        "the one token of single-token mode; made at the first start where there is none",
        "AUTH_TOKEN",
    )
    auth_token_file: Path | None = _setting(
        None, "a file that holds the token", shown="`token` in the data directory"
    )
    user_auth: bool = _setting(
        False,
        "user mode: every user has a token and a runtime of their own",
        "USER_AUTH",
        "MULTI_USER",
        "AUTH_MODE",
    )
    session_ttl_s: int = _setting(
        28_800, "how long a browser session lasts, in seconds", "SESSION_TTL_S", ge=60, le=604_800
    )
    remember_session_ttl_s: int = _setting(
        2_592_000,
        "how long one lasts that the browser remembers, in seconds",
        "REMEMBER_SESSION_TTL_S",
        ge=60,
        le=7_776_000,
    )
    session_idle_s: int = _setting(
        43_200, "how long a browser session lasts that nobody uses, in seconds", ge=60, le=7_776_000
    )
    session_secret: SecretStr | None = _setting(
        None, "what signs browser sessions; a key file serves where it is not set", "SESSION_SECRET"
    )
    session_secret_file: Path | None = _setting(
        None,
        "the key file that signs browser sessions: 32 bytes; made at the first start",
        shown="`keys/session` in the data directory",
    )
    pepper_file: Path | None = _setting(
        None,
        "the key file that hashes tokens: 32 bytes; made at the first start, the same for every process",
        shown="`keys/pepper` in the data directory",
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = _setting(
        ("http://localhost:*", "http://127.0.0.1:*"),
        "browser origins that may ask, separated by commas; `*` stands for a port or a label",
        "ALLOWED_ORIGINS",
    )
    trusted_proxies: int = _setting(
        0, "proxies before this server whose X-Forwarded-* is believed, counted from the right", "TRUST_PROXY",
        ge=0, le=32,
    )  # fmt: skip
    trusted_proxy_addresses: Annotated[tuple[str, ...], NoDecode] = _setting(
        (), "addresses and networks of those proxies, separated by commas", shown="any"
    )
    hsts_s: int = _setting(0, "how long browsers that came by TLS come by nothing else, in seconds; 0 for as they like", ge=0)  # fmt: skip
    session_cookie: str = _setting(CookieNames().session, "the name of the session's cookie", "SESSION_COOKIE")  # fmt: skip
    csrf_cookie: str = _setting(CookieNames().csrf, "the name of the CSRF cookie", "CSRF_COOKIE")
    session_header: str = _setting(CookieNames().session_header, "the header that shows a session", "SESSION_HEADER")  # fmt: skip
    csrf_header: str = _setting(CookieNames().csrf_header, "the header that shows its CSRF token", "CSRF_HEADER")  # fmt: skip
    host_cookies: bool = _setting(
        False,
        "under TLS, `__Host-` before the cookies' names: no neighbour of the host can set them",
    )
    lockout_after: int = _setting(5, "failures until a credential is locked at an address", "LOCKOUT_AFTER", ge=1)  # fmt: skip
    lockout_base_s: float = _setting(1.0, "how long the first time, in seconds; then twice as long", "LOCKOUT_BASE_S", gt=0)  # fmt: skip
    lockout_max_s: float = _setting(60.0, "how long at most, in seconds", "LOCKOUT_MAX_S", gt=0)
    max_body_bytes: int = _setting(256_000, "the largest request body", "MAX_BODY_BYTES", ge=1024)
    max_bundle_bytes: int = _setting(
        75 * 1024 * 1024,
        "the largest bundle to upload, or export to take in",
        "MAX_BUNDLE_BYTES",
        ge=1024,
    )
    max_attachment_bytes: int = _setting(25 * 1024 * 1024, "the largest file to send to a session", "MAX_ATTACHMENT_BYTES", ge=1024)  # fmt: skip
    artifact_quota_bytes: int = _setting(10 * 1024**3, "what all artifacts of one runtime may have together, where files are sent", ge=1024)  # fmt: skip
    artifacts_url: str | None = _setting(
        None, "a bucket for artifacts and bundles, `s3://bucket/prefix?endpoint=…&region=…`", shown="the data directory"
    )  # fmt: skip
    max_concurrency: int = _setting(512, "requests answered at once", "MAX_CONCURRENCY", ge=1)
    max_streams: int = _setting(2_000, "ledger streams open at once", "MAX_SSE", ge=1)
    model: str | None = _setting(
        None,
        "the model that answers where a flow names none, as `provider/model`",
        shown="the built-in one",
    )
    models_dir: Path | None = _setting(
        None, "where model files are kept", shown="`models` in the data directory"
    )
    embedded_model: bool = _setting(
        True, "answer with the small built-in model where nothing else is named"
    )
    code_cpu_s: int = _setting(10, "processor time of one piece of a flow's code, in seconds", ge=1)
    code_time_s: float = _setting(30.0, "how long such a piece may run, in seconds", gt=0)
    code_memory_bytes: int = _setting(256 * 1024**2, "memory that it may take", ge=32 * 1024**2)
    code_output_bytes: int = _setting(1024**2, "what it may give back or print, in bytes", ge=1024)
    code_at_once: int = _setting(2, "such pieces run side by side in this process", ge=1)
    pdf_fonts: Annotated[tuple[FilePath, ...], NoDecode] = _setting((), "TrueType fonts for letters of PDFs that the program's own font lacks, separated by commas", shown="none")  # fmt: skip
    features_off: Annotated[tuple[str, ...], NoDecode] = _setting(
        (), "features to leave out, separated by commas", shown="none"
    )
    egress_allow: Annotated[tuple[str, ...], NoDecode] = _setting(
        (),
        "hosts, addresses and networks beside the public ones that users' calls may reach, each"
        " perhaps with a port, separated by commas",
        shown="none",
    )
    egress_loopback_ports: Annotated[tuple[int, ...], NoDecode] = _setting(
        (),
        "ports of this machine that users' calls may reach, such as a model server's 11434,"
        " separated by commas",
        shown="none",
    )
    secrets_key: SecretStr | None = _setting(
        None,
        "the keys that seal stored secrets, 32 random bytes each in base64, separated by commas; the"
        " first one seals, all of them open",
    )
    secrets_key_file: Path | None = _setting(
        None,
        "a file that holds these keys, a line each; made at the first start",
        shown="`keys/secrets` in the data directory",
    )
    secrets_key_command: SecretStr | None = _setting(
        None, "a command that prints these keys, such as one that asks a vault; run without a shell"
    )
    lease_s: float = _setting(
        15.0, "how long a process holds an effect without renewing, in seconds", gt=0
    )
    poll_s: float = _setting(20.0, "the runner's slow look at the store, in seconds", gt=0)
    grace_s: float = _setting(
        5.0, "how long an effect that is to end may take for it, in seconds", ge=0
    )
    stop_s: float = _setting(
        3.0, "how long effects under way may take to end at a stop, in seconds", ge=0
    )
    runs_at_once: int = _setting(256, "runs of one plane driven side by side", ge=1)
    effects_at_once: int = _setting(1_024, "effects of one plane performed side by side", ge=1)
    planes_open_max: int = _setting(
        128, "runtimes open at once in this process; the longest unused makes room", ge=2
    )
    plane_idle_s: float = _setting(
        120.0, "how long a runtime stays open after its last use, in seconds", gt=0
    )
    principal_requests: int = _setting(
        128, "requests of one principal answered at once, in user mode", ge=1
    )
    principal_streams: int = _setting(
        256, "streams of one principal open at once, in user mode", ge=1
    )
    principal_stream_bytes: int = _setting(
        1024**3, "bytes that the streams of one principal send in a minute, in user mode", ge=1024
    )
    principal_starts: int = _setting(
        12_000, "runs that one principal starts in a minute, in user mode", ge=1
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting("info", "how much is logged")
    log_format: Literal["json", "text"] = _setting("text", "how log lines are written")
    url: str | None = _setting(
        None, "the gateway that the command line speaks to", shown="this machine's, by its port"
    )
    token: SecretStr | None = _setting(
        None,
        "the token that the command line shows; a gateway on this machine gets the one that it made",
    )

    @field_validator(
        "allowed_origins",
        "features_off",
        "pdf_fonts",
        "trusted_proxy_addresses",
        "egress_allow",
        "egress_loopback_ports",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("data_dir", mode="before")
    @classmethod
    def _data_dir(cls, value: Any) -> Any:
        return value or _data_home()

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        """The gateway that this one replaces has one proxy or none."""
        said = str(value).strip().lower()
        return 1 if said in YES else 0 if said in NO else value

    @field_validator("user_auth", mode="before")
    @classmethod
    def _mode(cls, value: Any) -> Any:
        """The gateway that this one replaces names its modes."""
        named = str(value).strip().lower()
        return {"users": True, "legacy": False, "legacy-token": False, "token": False}.get(
            named, value
        )

    @field_validator(
        "data_dir",
        "auth_token_file",
        "models_dir",
        "session_secret_file",
        "pepper_file",
        "secrets_key_file",
    )
    @classmethod
    def _whole_path(cls, value: Path | None) -> Path | None:
        return value and value.expanduser().absolute()

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
    return [str(old) for old in _extra(name)["old"]]


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


def make_data_folder(settings: Settings) -> Path:
    """Have the data directory, open to this account alone where it is new."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return settings.data_dir


def models_folder(settings: Settings) -> Path:
    """Where model files are kept."""
    return settings.models_dir or settings.data_dir / "models"


def token_path(settings: Settings) -> Path:
    """Where the token is kept that opens this installation from this machine: its own, or its first admin's."""
    if settings.auth_token_file is not None:
        return settings.auth_token_file
    return bootstrap_path(settings) if settings.user_auth else settings.data_dir / "token"


def bootstrap_path(settings: Settings) -> Path:
    """Where the first admin's first token is kept, until they take it away."""
    return settings.data_dir / "auth" / "bootstrap-admin-token"


def installation_token_of(settings: Settings) -> SecretStr | None:
    """The installation's own token in user mode: there where one was set on purpose. Raises `Invalid`."""
    if settings.auth_token is None and settings.auth_token_file is None:
        return None
    return token_of(settings)


def token_of(settings: Settings) -> SecretStr:
    """The token of single-token mode: as set, as in its file, or made once and kept 0600."""
    if settings.auth_token is not None:
        return settings.auth_token
    path = token_path(settings)
    if not path.exists():
        _make_token(path)
    text = path.read_text().strip()
    if not text:
        raise Invalid(f"the token file {path} is empty", setting="auth_token_file")
    return SecretStr(text)


def _make_token(path: Path) -> None:
    """Put a new token in place whole; where two processes begin at once, both use the first one's."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("agw_" + secrets.token_urlsafe(32) + "\n")
    with contextlib.suppress(FileExistsError):
        os.link(part, path)
    part.unlink()


def holder_name() -> str:
    """A name for this process in leases."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
