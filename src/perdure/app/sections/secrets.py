"""The keys that seal stored secrets."""

from pydantic import BaseModel, SecretStr

from perdure.app.sections.setting import WholePath, setting


class SecretSettings(BaseModel):
    """The keys, their file, or the command that prints them."""

    secrets_key: SecretStr | None = setting(
        None,
        "the keys that seal stored secrets, 32 random bytes each in base64, separated by commas; the"
        " first one seals, all of them open",
    )
    secrets_key_file: WholePath | None = setting(
        None,
        "a file that holds these keys, a line each; made at the first start",
        shown="`keys/secrets` in the data directory",
    )
    secrets_key_command: SecretStr | None = setting(
        None, "a command that prints these keys, such as one that asks a vault; run without a shell"
    )
