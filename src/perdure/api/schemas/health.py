"""How the server is, on the wire."""

from typing import Final

from pydantic import BaseModel

SERVICE: Final = "abstractgateway"  # the word by which existing clients know what they speak to


class Health(BaseModel):
    """That the process answers."""

    status: str
    service: str


class Alive(BaseModel):
    """That the process answers, or that it can do its work."""

    status: str
