"""The data of planes that nobody has any more: where they lie, and how they are taken away for good."""

from typing import Protocol

from perdure.ids import RuntimeId, TenantId


class Remains(Protocol):
    """What is left of planes that are closed."""

    def place(self, tenant: TenantId, runtime: RuntimeId) -> str:
        """Where a plane's files lie, relative to the data directory."""
        ...

    async def exist(self, tenant: TenantId, runtime: RuntimeId) -> bool:
        """Whether anything of a plane is left, in files or in the database."""
        ...

    async def erase(self, tenant: TenantId, runtime: RuntimeId) -> None:
        """Take away all that is left of a plane, and nothing outside its place. Twice is as good as once.

        Raises `StoreFailed` where something cannot be taken away; what is left is left in place.
        """
        ...
