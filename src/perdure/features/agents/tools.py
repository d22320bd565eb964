"""What an agent knows of a tool: its durable spec. Who executes it is not known here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from perdure.kernel.model import EffectClass
from perdure.kernel.values import Json


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model is told of it. `parameters` is a JSON schema; nothing known is taken as `once`."""

    name: str
    description: str = ""
    parameters: Mapping[str, Json] = field(default_factory=dict)
    effect_class: EffectClass = EffectClass.ONCE

    def offered(self) -> dict[str, Json]:
        """The spec as a request carries it."""
        parameters = {"type": "object", "properties": {}, **self.parameters}
        return {"name": self.name, "description": self.description, "parameters": parameters}


def names_in(wanted: Json) -> list[str]:
    """The names of the tools that a pin asks for, each once: it may hold names, or specs with names."""
    items = wanted if isinstance(wanted, list) else []
    names = [it.get("name") if isinstance(it, dict) else it for it in items]
    return list(dict.fromkeys(it for it in names if isinstance(it, str) and it))


def missing(names: Iterable[str], installed: Mapping[str, ToolSpec]) -> tuple[str, ...]:
    """A warning for each tool that is wanted and not here."""
    return tuple(f"#FALLBACK tool {it} is not installed" for it in names if it not in installed)
