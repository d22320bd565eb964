"""How a database means to find what a statement asks for: by an index, or by reading a table from end to end."""

import re

from sqlalchemy import text

from perdure.adapters.sql.dialect import Database
from perdure.adapters.sql.statements import Sql


def scans(database: Database, statement: Sql) -> list[str]:
    """The lines of a statement's plan that read a whole table; none where each row is found by an index."""
    sqlite = database.facts.name == "sqlite"
    words = statement.words(database.facts.name).text
    # What a parameter holds changes no plan here; the empty text is of every type that there is.
    asked = re.sub(r"\?" if sqlite else r"%s(::\w+(\[\])?)?", "''", words)
    with database.reading() as session:
        if not sqlite:  # few rows are quicker read than looked up; here it counts what is possible
            session.all(Sql(text("SELECT set_config('enable_seqscan', 'off', true)")))
        explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
        plan = session.all(Sql(text(explain + asked.replace(":", "\\:"))))
    return [line for row in plan if (line := str(row[-1])) and _is_scan(line, sqlite=sqlite)]


def _is_scan(line: str, *, sqlite: bool) -> bool:
    if sqlite:
        return line.startswith("SCAN") and "json_each" not in line
    return "Seq Scan" in line
