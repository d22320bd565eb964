"""The SQL asks nothing of a database that a spread of planes over machines could not give (decision 0011)."""

import re
from pathlib import Path

import pytest

from tests.house.tree import ROOT, SRC, name_of

PLACES = [
    *sorted((SRC / "adapters/sql").glob("*.py")),
    *sorted((SRC / "features").glob("*/sql.py")),
    *sorted((ROOT / "migrations").rglob("*.py")),
]
REFUSED = {
    r"\bcreate\s+(or\s+replace\s+)?trigger\b": "no triggers",
    r"\bclock_timestamp\b|\bstatement_timestamp\b|\bnow\(\s*\)|\bcurrent_timestamp\b": "time is a parameter",
    r"\brandom\(\s*\)|\bgen_random_uuid\b|\buuid_generate": "chance is a parameter",
    r"\bdo\s+\$": "DDL is sent as plain statements",
    r"\b(big)?serial\b|\bIdentity\(|\bnextval\b|\bSequence\(": "no serial column gives an order",
}


@pytest.mark.parametrize("path", PLACES, ids=name_of)
def test_statements_keep_the_rules(path: Path) -> None:
    text = path.read_text()
    broken = [why for pattern, why in REFUSED.items() if re.search(pattern, text, re.IGNORECASE)]
    assert broken == []


def test_the_rules_are_looked_for_where_the_sql_is() -> None:
    assert SRC / "adapters/sql/__init__.py" in PLACES
