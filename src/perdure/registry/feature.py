"""All that a plug-in may bring."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from perdure.identity.access import Rule
from perdure.kernel.values import Json
from perdure.registry.effects import EffectKind
from perdure.registry.programs import Check, Drawing, ProgramFactory, ProgramWrapper, Telling
from perdure.stores.runs import Listener


class Router(Protocol):
    """Routes to be mounted; a `fastapi.APIRouter`, unknown by that name down here."""

    @property
    def routes(self) -> list[Any]:
        """The routes, whatever the framework makes of them."""
        ...


@dataclass(frozen=True, slots=True)
class Feature:
    """All that a plug-in may bring. The kernel and the rooms below it never ask which are there."""

    name: str
    effects: Mapping[str, EffectKind] = field(default_factory=dict)
    programs: Mapping[str, ProgramFactory] = field(default_factory=dict)
    wrappers: Sequence[ProgramWrapper] = ()
    commands: Mapping[str, Telling] = field(default_factory=dict)  # by type
    drawings: Mapping[str, Drawing] = field(default_factory=dict)  # by kind of program
    checks: Mapping[str, Check] = field(default_factory=dict)  # by kind of program
    observers: Sequence[Listener] = ()
    routers: Sequence[Router] = ()
    actions: Mapping[str, Rule] = field(default_factory=dict)
    contracts: Mapping[str, Json] = field(default_factory=dict)  # shown by discovery, path → facts
    lifespan: Callable[[], AbstractAsyncContextManager[None]] | None = None
