"""Where the gateway listens."""

from pydantic import BaseModel

from perdure.app.sections.setting import setting


class ServerSettings(BaseModel):
    """The address."""

    host: str = setting("127.0.0.1", "the address to listen on", "HOST")
    port: int = setting(
        8080, "the port to listen on; 0 takes one that is free", "PORT", ge=0, le=65535
    )
