"""DBOS in the race: its default journal, SQLite in WAL mode, and Postgres."""

import uuid
from pathlib import Path

import psycopg

from tests.bench.environment import python
from tests.bench.figures import Bench, Unavailable
from tests.bench.programs import answer_of
from tests.bench.race import Contestant

DEFAULT = "DBOS, SQLite as it comes"
WAL = "DBOS, SQLite in WAL mode"
POSTGRES = "DBOS, Postgres"
PROGRAM = ("-m", "tests.bench.peer_dbos")
SLACK_S = 120.0


def run(bench: Bench, *options: str, runs: int, seconds: float) -> float:
    """Steps per second of one program that was just started."""
    given = ["--runs", str(runs), "--seconds", str(seconds), "--folder", str(bench.scratch)]
    command: list[str | Path] = [python(bench), *PROGRAM, *options, *given]
    rate: float = answer_of(command, seconds + SLACK_S)["rate"]
    return rate


def fresh(dsn: str) -> str:
    """The address of a new database on the server, as DBOS wants it."""
    name = f"dbos_{uuid.uuid4().hex}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://postgres@/{name}?host={connection.info.host}"


def contestants(bench: Bench, dsn: str | None) -> list[Contestant]:
    """DBOS on each database that it knows."""

    def sqlite(runs: int, seconds: float) -> float:
        return run(bench, runs=runs, seconds=seconds)

    def wal(runs: int, seconds: float) -> float:
        return run(bench, "--wal", runs=runs, seconds=seconds)

    def postgres(runs: int, seconds: float) -> float:
        if dsn is None:
            raise Unavailable("there is no Postgres")
        return run(bench, "--url", fresh(dsn), runs=runs, seconds=seconds)

    return [Contestant(DEFAULT, sqlite), Contestant(WAL, wal), Contestant(POSTGRES, postgres)]
