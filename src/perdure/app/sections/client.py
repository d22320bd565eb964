"""The gateway that the command line speaks to."""

from pydantic import BaseModel, SecretStr

from perdure.app.sections.setting import setting


class ClientSettings(BaseModel):
    """Its address and the token to show."""

    url: str | None = setting(
        None, "the gateway that the command line speaks to", shown="this machine's, by its port"
    )
    token: SecretStr | None = setting(
        None,
        "the token that the command line shows; a gateway on this machine gets the one that it made",
    )
