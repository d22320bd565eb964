"""An outgoing client for tests, whose servers are all on loopback."""

from typing import Any, Final

from perdure.adapters.addresses import rules_of
from perdure.adapters.egress import Egress, EgressLimits

ON_LOOPBACK: Final = rules_of(["127.0.0.0/8", "::1", "localhost"])


def an_egress(**limits: Any) -> Egress:
    """A client to which this machine is open."""
    return Egress(EgressLimits(**limits), rules=ON_LOOPBACK)
