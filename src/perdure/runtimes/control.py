"""What every plane stands under: who there is, what they may show, what was done. An argument, as a runtime is."""

from dataclasses import dataclass, field

from perdure.clock import Clock
from perdure.identity.sessions import SessionLife
from perdure.stores.audit import AuditStore
from perdure.stores.keys import Signer
from perdure.stores.notary import Notary
from perdure.stores.planes import ControlStore
from perdure.stores.principals import PrincipalStore
from perdure.stores.profiles import SharedProfiles
from perdure.stores.sealer import Sealer
from perdure.stores.sessions import SessionStore
from perdure.stores.tokens import TokenStore


@dataclass(frozen=True, slots=True)
class ControlContext:
    """The stores and keys of the control store. Whoever holds it can reach no plane."""

    principals: PrincipalStore
    tokens: TokenStore
    sessions: SessionStore
    audit: AuditStore
    planes: ControlStore
    profiles: SharedProfiles
    clock: Clock
    pepper: bytes = field(repr=False)
    signer: Signer = field(repr=False)
    notary: Notary = field(repr=False)
    sealer: Sealer = field(repr=False)
    session_life: SessionLife = field(default_factory=SessionLife)
