"""Assertions about records, in the domain's words."""

from collections.abc import Iterable, Mapping

from perdure.kernel.model import GONE, Birth, Step
from perdure.kernel.values import Json
from perdure.stores.records import Recorded, body_of, detail_of


def word_of(step: Step) -> str:
    """A record in two words: `started echo`, `failed echo`, `waiting ask_user`, `resume`, `end`, `ended completed`."""
    kind = "" if step.effect is None else step.effect["type"]
    if (step.idempotency_key or "").startswith("system:terminal_status:"):
        return "ended " + str(step.result["payload"]["text"])
    if kind == "resume":
        return "resume"
    if not kind:
        return "end" if step.status == "completed" else "error"
    return f"{step.status} {kind}"


def recorded(birth: Birth, step: Step) -> Recorded:
    """A record as it is read back from a store."""
    return Recorded(step.seq, body_of(birth, step), detail_of(step))


def assert_ledger(steps: Iterable[Step], *words: str) -> None:
    """Assert that the records are these, in this order; see `word_of`."""
    assert [word_of(step) for step in steps] == list(words)


def assert_gapless(steps: Iterable[Step]) -> None:
    """Assert that the records are numbered 1, 2, 3 … without a gap."""
    seqs = [step.seq for step in steps]
    assert seqs == list(range(1, len(seqs) + 1))


def rebuilt(
    inputs: Mapping[str, Json], steps: Iterable[Step], unrecorded: Mapping[str, Json] | None = None
) -> dict[str, Json]:
    """The cells as the ledger alone tells them: the inputs, and over them every record's writes."""
    cells = dict(inputs)
    for step in steps:
        apply(cells, step.writes or {})
    apply(cells, unrecorded or {})
    return cells


def apply(cells: dict[str, Json], writes: Mapping[str, Json]) -> None:
    """Write into `cells`; a cell written as gone is there no more."""
    for name, value in writes.items():
        if value is GONE:
            cells.pop(name, None)
        else:
            cells[name] = value
