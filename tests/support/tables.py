"""Tables of node types: a flow, and rows of what it is given and what must come of it.

    "divide": [
        pure("divide", "a", "b").rows(
            row({"a": 7, "b": 2}, result=3.5),
            row({"a": 1, "b": 0}, fault="division by zero"),
        )
    ]

`pure` draws the node between a start that gives it its pins and an end that reads it; `passing`
draws it in the order of execution, where the run passes it. In both it is called `it`, and the
keywords of a row are what the end has. A row may say more: the cells that stand in the end, what
the run's effects come to, and what is answered to which node.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from perdure.bundles.bundle import Bundle
from perdure.kernel.model import Effect, Failed, Outcome
from perdure.kernel.values import Json
from tests.support.drawing import Drawn, a_bundle, a_flow, a_node, a_start, an_end

Scripted = Outcome | Callable[[Effect], Outcome]
DUE: Final = {"due": True}  # stands for an answer: the time of the wait comes


@dataclass(frozen=True)
class Row:
    """One run. `output` is all of it; of a fault or failure, a part of what is said."""

    given: Mapping[str, Json]
    output: Json = None
    fault: str | None = None  # the run completes with `success: false`, saying this
    fails: str | None = None  # the run fails, saying this
    cells: Mapping[str, Json] | None = None  # some of those that stand in the end
    acts: tuple[tuple[str, Json], ...] = ()  # (node, answer), in their order
    effects: Mapping[str, Scripted] | None = None  # by node, else by kind


def row(
    given: Mapping[str, Json] | None = None, /, *, fault: str | None = None, fails: str | None = None, **gives: Json
) -> Row:  # fmt: skip
    """A row: what is given, and what the end has."""
    return Row(given or {}, {**gives, "success": True}, fault, fails)


def told(of: Row, **more: Any) -> Row:
    """The row with more said of it: `cells`, `acts`, `effects`, or the whole `output`."""
    return replace(of, **more)


@dataclass(frozen=True)
class Table:
    """A flow and its rows; `also` are flows that it runs."""

    flow: Json
    of: tuple[Row, ...] = ()
    also: tuple[Json, ...] = ()

    def rows(self, *rows: Row) -> "Table":
        """The table with these rows."""
        return replace(self, of=rows)


def table(
    nodes: Mapping[str, Drawn], *lines: str, also: tuple[Json, ...] = (), entry: str | None = None
) -> Table:
    """A table of a flow that is drawn whole."""
    return Table(a_flow(nodes, *lines, entry=entry), also=also)


def pure(type: str, *pins: str, out: str = "result", **drawn: Any) -> Table:
    """A node that is computed when the end reads it."""
    node = a_node(type, *pins, out=out, executes=False, **drawn)
    return _between(node, pins, out, "start -> end")


def passing(type: str, *pins: str, out: str = "", **drawn: Any) -> Table:
    """A node that the run passes."""
    return _between(a_node(type, *pins, out=out, **drawn), pins, out, "start -> it -> end")


def _between(node: Drawn, pins: tuple[str, ...], out: str, way: str) -> Table:
    given = [pin for pin in pins if pin not in (node["data"].get("pinDefaults") or {})]
    shown = out.split()
    return table(
        {"start": a_start(*given), "it": node, "end": an_end(*shown)}, way,
        *(f"start.{pin} => it.{pin}" for pin in given), *(f"it.{pin} => end.{pin}" for pin in shown),
    )  # fmt: skip


NOTHING_HERE: Final = "nothing here performs effects of the kind {kind!r}"


def come_to(of: Row, effect: Effect) -> Outcome:
    """What an effect of a row comes to: what the row says, or that nobody performs it."""
    scripts = of.effects or {}
    scripted = scripts.get(effect.node_id) or scripts.get(effect.kind)
    if scripted is None:
        return Failed("not_configured", NOTHING_HERE.format(kind=effect.kind))
    return scripted(effect) if callable(scripted) else scripted


def cases_of(tables: Mapping[str, list[Table]]) -> dict[str, tuple[Table, Row]]:
    """Every row by its name, with a table whose flow is named for the whole of them."""
    cases: dict[str, tuple[Table, Row]] = {}
    for type, of_type in tables.items():
        for at, drawn in enumerate(of_type, 1):
            named = replace(drawn, flow={**drawn.flow, "id": f"{type}-{at}"})
            cases.update({f"{type}-{at}-{n}": (named, one) for n, one in enumerate(drawn.of, 1)})
    return cases


def bundle_of(cases: Mapping[str, tuple[Table, Row]]) -> Bundle:
    """One bundle with the flows of all cases."""
    tables = [table for table, _ in cases.values()]
    flows = {flow["id"]: flow for table in tables for flow in (table.flow, *table.also)}
    return a_bundle(*flows.values(), id="tables")


class Performers(dict[str, Any]):
    """Performs effects of every kind: those that it knows, and all others by `other`."""

    def __init__(self, known: Mapping[str, Any], other: Any) -> None:
        super().__init__(known)
        self._other = other

    def get(self, kind: str, default: Any = None) -> Any:
        """How effects of this kind are performed."""
        return super().get(kind, self._other)
