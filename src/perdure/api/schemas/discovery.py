"""What this installation can do, on the wire."""

from pydantic import BaseModel

from perdure.api.schemas.fields import JsonObject


class ToolList(BaseModel):
    """The tools that runs may call."""

    items: list[JsonObject]


class Capabilities(BaseModel):
    """What a client may build on, as far as it is true here and for whoever asks."""

    capabilities: JsonObject
