"""What is done with the keys of an installation, by whoever never sees them."""

from typing import Protocol


class Signer(Protocol):
    """Marks what a browser carries, so that only what was made here is looked up."""

    def sign(self, value: str) -> str:
        """The value, with its mark."""
        ...

    def unsign(self, signed: str) -> str | None:
        """The value, or `None` where the mark is not of this installation."""
        ...
