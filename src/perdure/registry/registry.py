"""The frozen table of everything that features brought."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from perdure.bundles.bundle import Bundle
from perdure.errors import Conflict, FeatureAbsent
from perdure.identity.access import Rule
from perdure.kernel.model import ProgramRef
from perdure.kernel.program import Program
from perdure.registry.effects import EffectKind
from perdure.registry.feature import Feature
from perdure.registry.programs import Check, Drawing, ProgramFactory, ProgramWrapper, Telling

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Registry:
    """What this installation can do. Made once at start and never changed."""

    features: Sequence[Feature]
    effects: Mapping[str, EffectKind]
    programs: Mapping[str, ProgramFactory]
    wrappers: Sequence[ProgramWrapper]
    actions: Mapping[str, Rule]
    commands: Mapping[str, Telling]
    drawings: Mapping[str, Drawing]
    checks: Mapping[str, Check]

    def effect(self, kind: str) -> EffectKind | None:
        """How effects of this kind are performed, or `None` where no feature brings it."""
        return self.effects.get(kind)

    def program(self, ref: ProgramRef, bundle: Bundle | None) -> Program:
        """The program of a pinned reference, wrapped. Raises `FeatureAbsent` for an unknown kind."""
        factory = self.programs.get(ref.kind)
        if factory is None:
            raise FeatureAbsent(f"nothing here runs programs of the kind {ref.kind!r}")
        program = factory(ref, bundle)
        for wrap in self.wrappers:
            program = wrap(program)
        return program


def registry_of(features: Iterable[Feature], actions: Mapping[str, Rule]) -> Registry:
    """Put features together, sorted by name. Raises `Conflict` where two bring the same name."""
    ordered = sorted(features, key=lambda feature: feature.name)
    rules = dict(actions)
    effects: dict[str, EffectKind] = {}
    programs: dict[str, ProgramFactory] = {}
    commands: dict[str, Telling] = {}
    drawings: dict[str, Drawing] = {}
    checks: dict[str, Check] = {}
    for feature in ordered:
        _add(rules, feature.actions, feature.name)
        _add(effects, feature.effects, feature.name)
        _add(programs, feature.programs, feature.name)
        _add(commands, feature.commands, feature.name)
        _add(drawings, feature.drawings, feature.name)
        _add(checks, feature.checks, feature.name)
    return Registry(
        features=tuple(ordered),
        effects=MappingProxyType(effects),
        programs=MappingProxyType(programs),
        wrappers=tuple(wrap for feature in ordered for wrap in feature.wrappers),
        actions=MappingProxyType(rules),
        commands=MappingProxyType(commands),
        drawings=MappingProxyType(drawings),
        checks=MappingProxyType(checks),
    )


def _add(table: dict[str, T], more: Mapping[str, T], feature: str) -> None:
    for name, value in more.items():
        if name in table:
            raise Conflict(f"the feature {feature!r} brings {name!r}, which is there already")
        table[name] = value
