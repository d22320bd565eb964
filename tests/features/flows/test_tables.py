"""Every node type does what its table says, decided by hand and on a real plane of either database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.features.flows.nodes import NODES
from perdure.kernel.model import Status
from perdure.kernel.values import Json
from tests.features.flows.tables import TABLES
from tests.support.flowing import Flowing
from tests.support.planes import DATABASES
from tests.support.reference_nodes import PAGE, nodes_page
from tests.support.tables import DUE, Performers, Row, bundle_of, cases_of, come_to
from tests.support.tables_live import Came, lived, run_of

CASES = cases_of(TABLES)
BUNDLE = bundle_of(CASES)


@pytest.mark.parametrize("type", NODES)
def test_a_node_type_has_a_table_and_its_documentation(type: str) -> None:
    assert any(table.of for table in TABLES.get(type, [])), f"write a table of {type}"
    for table in TABLES[type]:
        assert type in {node["type"] for node in table.flow["nodes"]}
    assert NODES[type].about.what, f"describe {type}"


def test_there_is_no_table_of_what_is_no_node_type() -> None:
    assert set(TABLES) <= set(NODES)


@pytest.mark.parametrize("type", TABLES)
def test_the_drawn_pins_are_documented(type: str) -> None:
    """A table draws no data pin of its node that the reference does not name, where that names all."""
    about = NODES[type].about
    for drawn in _drawn(type):
        for side, names in (("inputs", about.takes), ("outputs", about.gives)):
            pins = {pin["id"] for pin in drawn[side] if pin["type"] != "execution"}
            if not any(name.startswith("(") for name in names):
                assert pins <= set(names), (type, side)


def _drawn(type: str) -> Iterator[Json]:
    for table in TABLES[type]:
        yield from (node["data"] for node in table.flow["nodes"] if node["type"] == type)


def test_the_reference_is_in_step() -> None:
    assert PAGE.read_text() == nodes_page(), "run `python -m tests.support.reference_nodes`"


# --- decided by hand ---------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_a_row_by_hand(case: str) -> None:
    table, row = CASES[case]
    run = Flowing(BUNDLE)
    run.handlers = Performers(run.handlers, lambda effect, _birth: come_to(row, effect))
    run.start(row.given, flow=table.flow["id"], run_id=run_of(case))
    for node, answer in row.acts:
        run = run.come_due(node) if answer is DUE else run.answer(node, answer)
    life = run.life.run
    _check(row, Came(life.status, life.output, life.error, run.cells))


# --- on real planes ----------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.timeout(240)
async def test_all_rows_on_a_real_plane(database: str, tmp_path: Path) -> None:
    came = await lived(database, tmp_path, BUNDLE, CASES)
    assert came.keys() == CASES.keys()
    for case, (_, row) in CASES.items():
        _check(row, came[case], case)


def _check(row: Row, came: Came, case: str = "") -> None:
    if row.fails is not None:
        assert came.status is Status.FAILED, (case, came)
        assert row.fails in (came.error or "")
        return
    assert came.status is Status.COMPLETED, (case, came)
    if row.fault is not None:
        assert came.output["success"] is False, (case, came)
        assert row.fault in came.output["error"]
        return
    assert came.output == row.output, case
    for name, value in (row.cells or {}).items():
        assert came.cells.get(name) == value, (case, name)
