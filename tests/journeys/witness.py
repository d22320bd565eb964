"""What a gateway acknowledged and showed over all of its lives: what it can be held to at the end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Sent(NamedTuple):
    """A command that was taken in."""

    run_id: str
    kind: str
    payload: Any


@dataclass
class Witness:
    """The memory of a journey, kept outside of the gateway."""

    plans: dict[str, Sequence[Any]] = field(
        default_factory=dict
    )  # by key, asked for or about to be
    runs: dict[str, str] = field(default_factory=dict)  # by key, acknowledged
    commands: dict[str, Sent] = field(default_factory=dict)  # by id, acknowledged
    seen: dict[str, list[bytes]] = field(default_factory=dict)  # records by run, from the first on
    doubted: set[str] = field(
        default_factory=set
    )  # effects that may have happened when a life ended
    suspected: set[str] = field(default_factory=set)  # those whose outcome may have been lost since
    dying_over_at: str = ""  # when the last life began, in which nobody dies
    asked: int = 0  # how often somebody looked whether the gateway answers
    answered: int = 0

    def see(self, run_id: str, seq: int, record: bytes) -> None:
        """Take in a record as it was shown; one that was seen before has the same bytes."""
        seen = self.seen.setdefault(run_id, [])
        assert 1 <= seq <= len(seen) + 1, f"{run_id} went from {len(seen)} to {seq}"
        if seq > len(seen):
            seen.append(record)
        else:
            assert seen[seq - 1] == record, f"record {seq} of {run_id} was another before"

    def known(self, run_id: str) -> int:
        """How many records of a run were seen."""
        return len(self.seen.get(run_id, ()))

    @property
    def availability(self) -> float:
        """How much of the time the gateway answered."""
        return self.answered / self.asked if self.asked else 0.0
