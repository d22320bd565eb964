"""The runner's numbers, each with a name and a default."""

from collections.abc import Callable
from dataclasses import dataclass


def no_probe(_name: str) -> None:
    """Do nothing; a crash test brings a probe that does."""


@dataclass(frozen=True, slots=True)
class RunnerConfig:
    """How one runner process works. Times in seconds."""

    holder: str  # this process, in leases
    lease_s: float = 15.0
    poll_s: float = 20.0  # the safety net under notifications
    page: int = 500  # rows a claim takes at once
    runs_at_once: int = 256  # driven side by side, per plane
    effects_at_once: int = 1_024  # performed side by side, per plane
    hot_idle_max: int = 256  # resting runs kept in memory, per plane
    slice_s: float = 0.005  # of a long fold between two looks at the world
    conflicts_max: int = 5  # decisions tried anew before giving an event back
    grace_s: float = 5.0  # from the wish that a handler ends to its end by force
    stop_s: float = 3.0  # from the wish to stop to the cancelling of what is under way
    probe: Callable[[str], None] = no_probe
