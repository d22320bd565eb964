"""What a trial came to."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Finding(NamedTuple):
    """Something that is not as it must be."""

    route: str
    who: str
    what: str


@dataclass
class Report:
    """Findings, and how much was asked."""

    findings: list[Finding] = field(default_factory=list)
    compared: Counter[str] = field(default_factory=Counter)  # pairs of answers, by route
    askers: Counter[str] = field(default_factory=Counter)  # the same, by who asked
    work: int = 0  # pairs whose work was compared too
    views: int = 0  # answers that must not shift
    left_out: list[str] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)

    def found(self, route: str, who: str, what: str) -> None:
        """Write something down."""
        self.findings.append(Finding(route, who, what))

    @property
    def well(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def told(self) -> Mapping[str, Any]:
        """The report as JSON."""
        return {
            "ok": self.well,
            "findings": [it._asdict() for it in self.findings],
            "compared": dict(sorted(self.compared.items())),
            "askers": dict(self.askers),
            "pairs": sum(self.compared.values()),
            "views": self.views,
            "left_out": self.left_out,
            "left_behind": self.left_behind,
        }
