"""A batch becomes one transaction; if that fails, each of its members becomes one of its own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace
from orjson import JSONEncodeError
from sqlalchemy import bindparam, select

from perdure.adapters.content import Content
from perdure.adapters.sql import commit_rows as sql
from perdure.adapters.sql.bundles import hold_marks
from perdure.adapters.sql.counters import AUDIT, INBOX, RUNS, Numbers, take
from perdure.adapters.sql.dialect import CommitUnknown, Database, Mismatch, Session, Write
from perdure.adapters.sql.due import DueMark, due_of
from perdure.adapters.sql.events import give_kept, lock_events
from perdure.adapters.sql.heads import Head, Heads
from perdure.adapters.sql.plan import New, Plan
from perdure.adapters.sql.purges import hold_origins
from perdure.adapters.sql.statements import Row, Sql
from perdure.adapters.sql.tables import inbox
from perdure.adapters.sql.writer import Answer, Mailed, Work
from perdure.errors import (
    DuplicateCommand,
    GatewayError,
    NotJson,
    StoreFailed,
    VersionConflict,
)
from perdure.ids import RunId
from perdure.kernel.model import Decision
from perdure.stores.runs import Commit, Committed, Listener

Mail = Callable[[Sequence[RunId]], None]
Probe = Callable[[str], None]

TRIES_MAX: Final = 3  # of one transaction that the database gave up for another's sake

_MESSAGE: Final = Sql(
    select(inbox.c.disposition, inbox.c.body_hash, inbox.c.run_id).where(
        inbox.c.id == bindparam("_id")
    )
)


class Told(NamedTuple):
    """Who is told of what was written."""

    on_commit: Listener
    on_mail: Mail


class Attempt:
    """One try to write a batch together: what was planned, and what its members would hear."""

    def __init__(self, batch: Sequence[Any]) -> None:
        """Begin with nothing planned."""
        self.batch = batch
        self.plan: Plan | None = None
        self.answers: list[Answer] = []

    def is_kept(self, what: Any, here: Mapping[RunId, Head]) -> bool:
        """Whether a commit of the batch is what the database has now."""
        if not isinstance(what, Commit) or self.plan is None:
            return False
        planned, found = self.plan.heads[what.decision.run.id], here.get(what.decision.run.id)
        return found is not None and planned.place == found.place


class SqlBatches:
    """What one plane's writer does with a batch. `heads` belong to the thread that writes."""

    def __init__(
        self, database: Database, content: Content, told: Told, probe: Probe, mark: DueMark | None = None
    ) -> None:  # fmt: skip
        """Write to `database` and `content`; `probe` is called at the places where a test may end us."""
        self._database, self._content, self._told, self._probe = database, content, told, probe
        self._mark = mark
        self._heads = Heads()
        self._new = New(Numbers(database, RUNS).new, Numbers(database, AUDIT).new)
        self._expected: tuple[type[Exception], ...] = (
            GatewayError, Mismatch, JSONEncodeError, UnicodeEncodeError, *database.error_types()
        )  # fmt: skip
        self.failed: str | None = None  # why nothing is written any more

    def write(self, batch: Sequence[Any]) -> list[Answer]:
        """Write a batch together, or one by one where that fails. Never raises what it can answer."""
        return self._write(batch, TRIES_MAX)

    def _write(self, batch: Sequence[Any], tries: int) -> list[Answer]:
        if self.failed is not None:
            return [Answer(error=StoreFailed(self.failed)) for _ in batch]
        attempt = Attempt(batch)
        try:
            return self._together(attempt)
        except CommitUnknown:
            return self._looked_up(attempt, tries)
        except self._expected as failed:
            self._forget(batch)
            if self._is_fatal(failed):
                return [Answer(error=StoreFailed(str(self.failed))) for _ in batch]
            if len(batch) == 1 and not (tries > 1 and self._database.transient(failed)):
                return [Answer(error=self._named(batch[0], failed))]
        return [self._write([one], tries - (len(batch) == 1))[0] for one in batch]

    def tell(self, batch: Sequence[Any], answers: Sequence[Answer]) -> None:
        """Tell of commits and of messages, once for the batch."""
        committed: list[Committed] = []
        mailed: list[RunId] = []
        for what, answer in zip(batch, answers, strict=True):
            mailed += answer.mailed
            if isinstance(what, Commit) and answer.error is None:
                committed.append(Committed(what.decision, answer.value.records, what.holder))
                if _begins_again(what.decision):
                    mailed.append(what.decision.run.id)
            elif isinstance(what, Work) and what.then is not None:
                what.then()
        if committed:
            self._told.on_commit(committed)
        if mailed:
            self._told.on_mail(tuple(dict.fromkeys(mailed)))

    # --- together --------------------------------------------------------------------------------

    def _together(self, attempt: Attempt) -> list[Answer]:
        batch = attempt.batch
        commits = [what for what in batch if isinstance(what, Commit)]
        attempt.plan = plan = Plan(self._heads_of(commits), self._content, self._new)
        attempt.answers = answers = [_planned(plan, what) for what in batch]
        if self._mark is not None:
            _cover(self._mark, batch)
        mailed: tuple[RunId, ...] = ()
        self._probe("before_commit")
        with self._database.writing() as session:
            for at, what in enumerate(batch):
                if isinstance(what, Work):
                    answers[at] = _worked(session, what)
            if commits:
                mailed = self._written(session, plan)
            self._probe("inside_batch")
        self._heads.keep(plan.heads, plan.ended)
        self._probe("after_commit")
        if mailed:
            answers[0] = replace(answers[0], mailed=(*answers[0].mailed, *mailed))
        return answers

    def _heads_of(self, commits: Sequence[Commit]) -> dict[RunId, Head]:
        """The heads of the batch's runs; those that seem to be elsewhere than was read are read again."""
        read: dict[RunId, int] = {}
        for it in commits:
            read.setdefault(it.decision.run.id, it.decision.read_version)
        heads = self._heads.known(read)
        missing = [
            run_id for run_id, version in read.items()
            if version and (run_id not in heads or heads[run_id].version != version)
        ]  # fmt: skip
        if missing:
            with self._database.reading() as session:
                heads.update(self._heads.find(session, missing))
        return heads

    def _written(self, session: Session, plan: Plan) -> tuple[RunId, ...]:
        if plan.origins:
            hold_origins(session, plan.origins)
        if plan.unmarked:
            hold_marks(session, plan.unmarked)
        if plan.openings:
            lock_events(session)
        session.write(plan.writes())
        if plan.snapshots:
            self._probe("snapshot")
        if plan.requests:
            session.write([Write(sql.ADD_MESSAGE, plan.requests, exact=True)])
        if plan.sent:
            session.write([Write(sql.ADD_MESSAGE, _numbered(session, plan))])
        return tuple(give_kept(session, plan.openings)) if plan.openings else ()

    # --- what can go wrong -------------------------------------------------------------------------

    def _looked_up(self, attempt: Attempt, tries: int) -> list[Answer]:
        """Say what became of a batch whose commit was never answered: look at what is there."""
        self._forget(attempt.batch)
        commits = [what for what in attempt.batch if isinstance(what, Commit)]
        unknown = Answer(error=StoreFailed("nobody knows whether the commit was kept"))
        try:
            with self._database.reading() as session:
                here = self._heads.find(session, [it.decision.run.id for it in commits])
        except self._database.error_types():
            return [unknown for _ in attempt.batch]
        answers = []
        for what, answer in zip(attempt.batch, attempt.answers, strict=True):
            if answer.error is not None or attempt.is_kept(what, here):
                answers.append(answer)
            else:
                answers += self._write([what], tries - 1) if tries > 1 else [unknown]
        return answers

    def _forget(self, batch: Iterable[Any]) -> None:
        self._heads.forget(it.decision.run.id for it in batch if isinstance(it, Commit))

    def _is_fatal(self, failed: Exception) -> bool:
        if not self._database.fatal(failed):
            return False
        self.failed = f"the store takes no more writes since the disk failed: {failed}"
        return True

    def _named(self, what: Any, failed: Exception) -> GatewayError:
        """The error of a single failed write, by its name."""
        if isinstance(failed, GatewayError):
            return failed
        if isinstance(failed, JSONEncodeError | UnicodeEncodeError):
            return NotJson(str(failed))
        if isinstance(what, Commit):
            try:
                if found := self._outrun(what, failed):
                    return found
            except self._database.error_types() as away:
                failed = away
        error = StoreFailed(f"the store refused a write: {failed}")
        error.__cause__ = failed
        return error

    def _outrun(self, commit: Commit, failed: Exception) -> GatewayError | None:
        """Say who was faster, where somebody was."""
        with self._database.reading() as session:
            if commit.taken is not None:
                row = session.first(_MESSAGE, _id=commit.taken)
                if row is None or row[0] != "pending":
                    return DuplicateCommand(disposition=None if row is None else row[0])
            if commit.request is not None:
                row = session.first(_MESSAGE, _id=f"request:{commit.request.id}")
                if row is not None:
                    return DuplicateCommand(
                        run_id=row[2], other_body=row[1] != commit.request.body_hash
                    )
            known = self._heads.find(session, [commit.decision.run.id])
        here = known.get(commit.decision.run.id)
        moved = here is not None and here.version != commit.decision.read_version
        return VersionConflict() if moved or isinstance(failed, Mismatch) else None


def _cover(mark: DueMark, batch: Sequence[Any]) -> None:
    """Have the control store know when the batch gives the plane something to do."""
    dues: list[tuple[str, str]] = []
    for what in batch:
        if isinstance(what, Commit):
            due, at = due_of(what), what.decision.run.updated_at
        else:
            due, at = what.due, what.at
        if due is not None:
            dues.append((due, at))
    if dues:
        mark.cover(min(due for due, _ in dues), max(at for _, at in dues))


def _planned(plan: Plan, what: Any) -> Answer:
    if not isinstance(what, Commit):
        return Answer()
    try:
        return Answer(plan.add(what))
    except VersionConflict as conflict:
        return Answer(error=conflict)


def _worked(session: Session, work: Work) -> Answer:
    try:
        value = work.run(session)
    except GatewayError as refused:
        return Answer(error=refused)
    return Answer(value.value, mailed=value.run_ids) if isinstance(value, Mailed) else Answer(value)


def _begins_again(decision: Decision) -> bool:
    """Whether a run that was held before it began may begin now."""
    run = decision.run
    return run.ready and run.held is None and decision.read_version > 0


def _numbered(session: Session, plan: Plan) -> list[Row]:
    """The messages of the batch, each with its place in the order."""
    number = take(session, INBOX, len(plan.sent))
    return [
        (sent.id, at, sent.run_id, sent.kind, sent.key, None, "", None, sent.at, "pending", None, None, None, sent.body)
        for at, sent in enumerate(plan.sent, start=number)
    ]  # fmt: skip
