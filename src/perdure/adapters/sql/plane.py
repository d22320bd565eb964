"""A plane: its stores together, over one database, one folder of content and one writer."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Engine, literal, select
from sqlalchemy.exc import SQLAlchemyError

from perdure.adapters.content import Content
from perdure.adapters.disk.content import ContentFolder
from perdure.adapters.sql.agenda import next_due
from perdure.adapters.sql.artifacts import SqlArtifacts
from perdure.adapters.sql.audit_pending import SqlPlaneAudit
from perdure.adapters.sql.batches import Mail, Probe, SqlBatches, Told
from perdure.adapters.sql.bookmarks import SqlBookmarks
from perdure.adapters.sql.bundles import SqlBundles
from perdure.adapters.sql.dialect import Database, Facts
from perdure.adapters.sql.drawings import SqlDrawings
from perdure.adapters.sql.due import DueMark, Note
from perdure.adapters.sql.inbox import SqlInbox
from perdure.adapters.sql.leases import void_leases
from perdure.adapters.sql.migrate import RUNTIME, migrate
from perdure.adapters.sql.outbox import SqlOutbox
from perdure.adapters.sql.profiles import SqlProfiles, profiles_of_plane
from perdure.adapters.sql.purges import SqlPurges
from perdure.adapters.sql.reader import Reader
from perdure.adapters.sql.runs import SqlRuns
from perdure.adapters.sql.sqlite import SqliteDatabase
from perdure.adapters.sql.statements import Sql
from perdure.adapters.sql.waits import SqlWaits
from perdure.adapters.sql.writer import Company, Writer
from perdure.errors import StoreFailed
from perdure.ids import RunId
from perdure.stores.runs import Committed, Listener

if TYPE_CHECKING:
    from perdure.adapters.sql.notify import Hint, Notices

_ANSWER: Final = Sql(select(literal(1)))


def no_probe(_name: str) -> None:
    """Do nothing; a crash test brings a probe that does."""


def no_mail(_run_ids: object) -> None:
    """Tell nobody."""


def no_hint(_run_id: object) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Pools:
    """The threads that all planes of a process share: a few that write, a few that read."""

    writers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(4, thread_name_prefix="writer")
    )
    readers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(8, thread_name_prefix="reader")
    )
    company: Company = field(default_factory=Company)

    def close(self) -> None:
        """Let the threads end."""
        self.writers.shutdown()
        self.readers.shutdown()


@dataclass(frozen=True, slots=True)
class PlaneConfig:
    """How a plane is held. `probe` is called at the places where a crash test may end the process.

    `on_commit` hears of each batch of this process's commits, and `on_mail` of the runs that have
    a message or may begin, `on_hint` of those that another process changed; all on the event loop,
    the first two before the callers hear. `note_due` is told of a time before the commit that makes
    the plane due then, on a writer's thread.
    """

    on_commit: Listener
    pools: Pools
    on_mail: Mail = no_mail
    on_hint: "Hint" = no_hint
    note_due: Note | None = None
    probe: Probe = no_probe
    synchronous: str = "FULL"
    content: Content | None = None  # `None`: in the plane's own folder


class SqlPlane:
    """The stores of one runtime. Made by `open_sqlite_plane` or `open_postgres_plane`."""

    def __init__(self, database: Database, folder: Path, config: PlaneConfig) -> None:
        """Serve `database`, whose schema is up to date, with content in `folder`."""
        loop = asyncio.get_running_loop()
        content = config.content or ContentFolder(folder)
        told = Told(config.on_commit, config.on_mail)
        self.database: Final = database
        mark = None if config.note_due is None else DueMark(config.note_due)
        self._batches = SqlBatches(database, content, told, config.probe, mark)
        self._writer = Writer(self._batches, config.pools.writers, loop, config.pools.company)
        self._reader = Reader(database, config.pools.readers, loop)
        self.audit: Final = SqlPlaneAudit(self._reader, self._writer)
        self.runs: Final = SqlRuns(self._reader, self._writer, content, self.audit)
        self.outbox: Final = SqlOutbox(self._reader, self._writer)
        self.inbox: Final = SqlInbox(self._reader, self._writer, self.audit)
        self.waits: Final = SqlWaits(self._reader)
        self.artifacts: Final = SqlArtifacts(self._reader, self._writer, content, self.audit)
        self.bundles: Final = SqlBundles(
            self._reader, self._writer, content, self.audit, alone=self.alone
        )
        self.bookmarks: Final = SqlBookmarks(self._reader, self._writer, self.audit)
        self.purges: Final = SqlPurges(self._writer, self.audit)
        self.drawings: Final = SqlDrawings(self._reader, self._writer, self.audit)
        self.profiles: Final[SqlProfiles] = profiles_of_plane(self._reader, self._writer)
        self._closed = False
        self._at_closing: list[Callable[[], None]] = []

    @property
    def facts(self) -> Facts:
        """What is true of the database underneath."""
        return self.database.facts

    @property
    def alone(self) -> bool:
        """Whether no other process can hold this plane."""
        return self.database.facts.alone

    async def next_due(self) -> str | None:
        """When the plane has something to do next; the empty text is at once, `None` is never."""
        return await self._reader.read(next_due)

    async def ready(self) -> None:
        """Answer if the store can read and write. Raises `StoreFailed`."""
        if self._batches.failed is not None:
            raise StoreFailed(self._batches.failed)
        await self._reader.read(lambda session: session.first(_ANSWER))
        await self._writer.work(lambda session: session.first(_ANSWER))

    def at_closing(self, stop: Callable[[], None]) -> None:
        """Have something called once the last commit is written."""
        self._at_closing.append(stop)

    async def close(self) -> None:
        """Finish what was handed in, then let go of the files. Twice is as good as once."""
        if not self._closed:
            self._closed = True
            await self._writer.close()
            for stop in self._at_closing:
                stop()
            await self._reader.run(self.database.close)


async def open_sqlite_plane(folder: Path, config: PlaneConfig) -> SqlPlane:
    """Open the plane in a folder, made and migrated as needed.

    Raises `Unavailable` while another process holds it, `SchemaNewer` where a newer release wrote it.
    """

    def opened() -> SqliteDatabase:
        database = SqliteDatabase(folder / "plane.db", synchronous=config.synchronous)
        try:
            database.migrate(lambda connection: migrate(connection, RUNTIME, config.probe))
            with database.writing() as session:
                void_leases(session)
        except BaseException:
            database.close()
            raise
        return database

    loop = asyncio.get_running_loop()
    database = await loop.run_in_executor(config.pools.readers, opened)
    return SqlPlane(database, folder / "artifacts", config)


async def open_postgres_plane(
    engine: Engine, schema: str, artifacts: Path, config: PlaneConfig, notices: "Notices | None" = None
) -> SqlPlane:  # fmt: skip
    """Open the plane in a schema, migrated if it is there, made at its first use if not.

    `schema` is a name that the server made; content lies in the folder `artifacts`; other
    processes are told and heard by `notices`. Raises `SchemaNewer` where a newer release wrote the
    schema, `StoreFailed` where Postgres is away.
    """
    # Its driver takes a tenth of a start, and most installations have no Postgres.
    from perdure.adapters.sql.postgres import PostgresDatabase  # noqa: PLC0415

    def opened() -> PostgresDatabase:
        database = PostgresDatabase(
            engine, schema, lambda connection: migrate(connection, RUNTIME, config.probe)
        )
        try:
            database.prepare()
        except SQLAlchemyError as failed:
            raise StoreFailed(f"Postgres cannot be reached: {failed}") from failed
        return database

    loop = asyncio.get_running_loop()
    database = await loop.run_in_executor(config.pools.readers, opened)
    if notices is None:
        return SqlPlane(database, artifacts, config)
    plane = SqlPlane(database, artifacts, _telling(config, schema, notices))
    plane.at_closing(notices.listen(schema, config.on_hint))
    return plane


def _telling(config: PlaneConfig, schema: str, notices: "Notices") -> PlaneConfig:
    """The same, with other processes told as well."""

    def on_commit(batch: Sequence[Committed]) -> None:
        config.on_commit(batch)
        notices.tell(schema, (one.decision.run.id for one in batch))

    def on_mail(run_ids: Sequence[RunId]) -> None:
        config.on_mail(run_ids)
        notices.tell(schema, run_ids)

    return replace(config, on_commit=on_commit, on_mail=on_mail)
