"""The trial of isolation: things are made as one person and asked for as others, by every route.

What is not yours is answered as what is not there: the same status, headers and body, but for the
asked id, the request's own id and the date; where the work of the stores can be counted, by the same
work. What others do neither shows in a list nor shifts it.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain
from typing import Any, Final

import anyio

from perdure.app.client import Gateway
from perdure.app.selftest import kinds
from perdure.app.selftest.document import Asked, asked_of
from perdure.app.selftest.people import PROFILES, Company, new_name
from perdure.app.selftest.probes import Probes, Work
from perdure.app.selftest.report import Finding, Report
from perdure.app.selftest.requests import request_of, values_of
from perdure.app.selftest.rows import ROWS, Row
from perdure.app.selftest.things import MAKERS, Things, a_lost_export
from perdure.app.selftest.views import STREAM, Views, check_same, overhear, views_of
from perdure.errors import Forbidden, GatewayError

TABLES: Final = "the tables"  # who it is that does not know a route


class Trial:
    """One trial at one gateway."""

    def __init__(self, company: Company, asked: Sequence[Asked], work: Work | None = None) -> None:
        """Ask for `asked`, and compare the work too where `work` counts it."""
        self.company, self.asked = company, asked
        self.report = Report()
        self.probes = Probes(company, self.report, work)
        self.alice: Things
        self.readers: list[
            Things
        ] = []  # Bob, another tenant's admin, and somebody of Alice's name elsewhere
        self.askers: list[Things] = []  # Bob, another tenant's admin, and nobody
        found = chain.from_iterable(chain.from_iterable(it.ids.values()) for it in asked)
        self.kinds = sorted(MAKERS.keys() & set(found))
        self._listens = any(it.route == STREAM for it in asked)
        self._before: Views = {}

    async def prepare(self) -> None:
        """Hire everybody, and have each make one thing of each kind. Raises `NotMade`, `Forbidden`."""
        hire = self.company.hire
        alice, bob = await hire("alice"), await hire("bob")
        people = [alice, bob]
        try:
            people.append(await hire("mallory", new_name("elsewhere"), admin=True))
            people.append(await hire("alice", new_name("beyond"), name=alice.name))
        except Forbidden:
            self.report.left_out.append("other tenants: your word goes in your own alone")
        if any(PROFILES in it.route for it in self.asked):
            await self.company.share()
        if kinds.EXPORT in self.kinds:
            self.company.lost = await a_lost_export(self.company)
        self.alice, *self.readers = [Things(self.company, person) for person in people]
        self.probes.owns(self.alice)
        for things in (self.alice, *self.readers):
            await things.all(self.kinds)
        self.askers = [*self.readers[:2], Things(self.company, self.company.nobody())]

    async def live(self) -> None:
        """Let Alice use every route as she may, while the others look at theirs; then make ready to probe."""
        readers = self.readers
        for things in readers:
            await _settled(things)
        before = [await views_of(self.asked, things, self.report) for things in readers]
        await self._use_all()
        for things, views in zip(readers, before, strict=True):
            after = await views_of(self.asked, things, self.report)
            check_same(views, after, self.asked, things.person.name, self.report)
            for route, answer in after.items():
                self.probes.check_traces(route, things, answer.body, {})
        await self._renew()

    async def _use_all(self) -> None:
        """Have Alice use every route, while Bob listens to what is his."""
        bob, heard = self.readers[0], list[str]()
        try:
            async with anyio.create_task_group() as group:
                if self._listens:
                    await group.start(overhear, bob, heard, self.report)
                for asked in self.asked:
                    await self._control(asked)
                group.cancel_scope.cancel()
        except BaseExceptionGroup as several:
            for raised in several.exceptions:
                if isinstance(raised, GatewayError):
                    raise raised from several
            raise
        if self._listens:
            self._check_heard(bob, "".join(heard))

    async def _control(self, asked: Asked) -> None:
        """See that the route works for whoever has the thing: else nothing would follow from a refusal."""
        row, root = asked.row, self.company.admin()
        if row.over_all and not root.over_all:
            return
        asker = root if row.admin else self.alice.person
        things = self.alice
        if not row.reads:
            things = await self._spare() if row.admin else things.fresh()
        values = await values_of(asked, things, whole=row.admin)
        answer = await request_of(asked, values, asker).by(asker)
        if answer.refused:
            what = f"does not work for whoever has it: {answer.status} {answer.body}"
            self.report.found(asked.route, asker.name, what)
        if "body.user_id" in row.new:
            self.company.made.append((things.person.tenant, values["body.user_id"]))

    async def _spare(self) -> Things:
        return Things(self.company, await self.company.hire("spare"))

    def _check_heard(self, things: Things, text: str) -> None:
        if "data: " not in text:
            self.report.found(STREAM, things.person.name, "tells nothing of one's own run")
        self.probes.check_traces(STREAM, things, text, {})

    async def _renew(self) -> None:
        """Give Alice new things in the place of those that she ended, and remember how all stands."""
        self.alice = self.alice.fresh()
        await self.alice.all(self.kinds)
        await self.probes.prepare(self.asked, self.askers)
        self._before = await views_of(self._silent(), self.alice, self.report)

    def _silent(self) -> list[Asked]:
        """What does not tell its reader that others asked for them."""
        return [asked for asked in self.asked if not asked.row.told]

    async def probe(self) -> None:
        """Ask as everybody else for each of Alice's things, and for one that is not there."""
        for asked in sorted(self.asked, key=lambda it: it.makes):
            for asker in self.askers:
                await self.probes.ask(asked, self.alice, asker)

    async def look_back(self) -> None:
        """See that all of Alice's stands as it stood before others asked for it."""
        silent = self._silent()
        after = await views_of(silent, self.alice, self.report)
        check_same(self._before, after, silent, self.alice.person.name, self.report)


async def _settled(things: Things) -> None:
    """Wait until what somebody did in their plane is on their record."""
    acts = set(things.person.acts)

    def is_there(page: Any) -> bool:
        return acts <= {it["request_id"] for it in page["items"]}

    await things.until("/me/audit?limit=500", is_there)


@asynccontextmanager
async def a_trial(
    url: str, token: str | None, *, rows: Sequence[Row] = ROWS, work: Work | None = None, only: str = "",
    cleans: bool = True,
) -> AsyncIterator[Trial]:  # fmt: skip
    """A trial with everybody in it, who are gone at the end where it `cleans`. `only`: of routes with this in them.

    Raises `Forbidden` where the token is no admin's, `NotMade`, `Unreachable`.
    """
    async with AsyncExitStack() as stack:
        root = await stack.enter_async_context(Gateway(url, token))
        company = Company(url, root, stack)
        await company.begin()
        asked, missing = asked_of(await root.get("//openapi.json"), rows)
        trial = Trial(company, [it for it in asked if only in it.route], work)
        trial.report.findings += [
            Finding(it.partition(" has ")[0], TABLES, it) for it in missing if only in it
        ]
        try:
            await trial.prepare()
            yield trial
        finally:
            if cleans:
                with anyio.CancelScope(shield=True):
                    trial.report.left_behind += await company.leave()


async def try_isolation(url: str, token: str | None, *, only: str = "") -> Report:
    """Hold a whole trial. Raises as `a_trial`."""
    async with a_trial(url, token, only=only) as trial:
        await trial.live()
        await trial.probe()
        await trial.look_back()
    return trial.report
