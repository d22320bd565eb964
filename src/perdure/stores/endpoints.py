"""What an effect is given of endpoint profiles: one by its name, opened at the moment of its use."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

PREFIX: Final = "endpoint:"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint profile with its key. It lives as long as a call, and is written down nowhere."""

    name: str
    provider_family: str
    base_url: str
    allowed_models: tuple[str, ...] = ()
    api_key: str = field(default="", repr=False)


class Use(NamedTuple):
    """Who uses a key, and for what; this goes on the record."""

    actor: str
    purpose: str
    run_id: str = ""
    key: str = ""  # of the effect


class EndpointRefused(Exception):
    """There is no way to this provider now. Nothing else is used in its place."""

    def __init__(self, code: str, detail: str) -> None:
        """`code`: endpoint_not_found, endpoint_disabled, endpoint_key_unreadable."""
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail}")


class Opener(Protocol):
    """Opens the profiles of one runtime, and those of the gateway that its principal may use."""

    async def open(self, profile_id: str, use: Use) -> Endpoint:
        """The profile with its key, the use of which is on the record first. Raises `EndpointRefused`."""
        ...


class NoEndpoints:
    """Stands where there are no profiles."""

    async def open(self, profile_id: str, use: Use) -> Endpoint:
        """Refuse."""
        raise not_found(profile_id)


NOWHERE: Final = NoEndpoints()


def not_found(profile_id: str) -> EndpointRefused:
    """The refusal of a profile that is not there, or not for this principal: nobody can tell which."""
    return EndpointRefused(
        "endpoint_not_found", f"there is no endpoint profile {PREFIX}{profile_id}"
    )


def endpoint_in(provider: str) -> str | None:
    """The id of the profile that a provider's name stands for, or `None` where it is another name."""
    return provider[len(PREFIX) :] if provider.startswith(PREFIX) else None
