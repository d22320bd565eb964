"""Many runs come back in a handful of queries, whatever they hold."""

from pathlib import Path
from typing import Any

import pytest

from perdure.adapters.sql.loading import Loading
from perdure.adapters.sql.statements import Row, Sql
from perdure.kernel.limits import INLINE_BYTES_MAX
from tests.support.branches import Ask, Branches, Do
from tests.support.driving import a_driven_run
from tests.support.planes import a_store

pytestmark = pytest.mark.anyio


class Counting:
    """A session that counts its queries."""

    def __init__(self, session: Any) -> None:
        self.session, self.queries = session, 0

    def all(self, statement: Sql, **values: object) -> list[Row]:
        self.queries += 1
        rows: list[Row] = self.session.all(statement, **values)
        return rows


async def test_two_hundred_runs_are_loaded_in_six_queries(tmp_path: Path) -> None:
    async with a_store("sqlite", tmp_path) as store:
        large = {"in/large": "x" * (INLINE_BYTES_MAX + 1)}
        runs = [
            await a_driven_run(store.plane, Branches((Do(),), (Ask(),)), f"run {n}", cells=large)
            for n in range(200)
        ]
        content: Any = store.plane.artifacts
        with store.plane.database.reading() as session:
            counting: Any = Counting(session)
            loaded = Loading(content.content).load(counting, [driven.id for driven in runs])
        assert counting.queries <= 6
        assert [it.cells for it in loaded.values()] == [driven.cells for driven in runs]
