"""Asking for what is another's, and for what is not there: both answers are one, and so is the work."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple, Protocol

from perdure.app.selftest import kinds
from perdure.app.selftest.answers import Answer, difference, like, told
from perdure.app.selftest.document import Asked
from perdure.app.selftest.people import Company, Person
from perdure.app.selftest.report import Report
from perdure.app.selftest.requests import Values, another, request_of, values_of
from perdure.app.selftest.things import Things

TRIES: Final = 3  # to see the same work twice, beside what the server does by itself


class Work(Protocol):
    """Counts what the stores are asked, where that can be seen."""

    def taken(self) -> list[str]:
        """What they were asked since the last time."""
        ...


class Place(NamedTuple):
    """Where an id stands, and of which kind the thing is that it names."""

    name: str
    kind: str


class Told(NamedTuple):
    """An answer, and the work that it was."""

    answer: Answer
    work: Sequence[str]


class Probes:
    """The probes of one trial. Whoever `owns` the things is Alice, or stands in for her."""

    def __init__(self, company: Company, report: Report, work: Work | None) -> None:
        """Write to `report`, and compare the work too where `work` counts it."""
        self._company, self._report, self._work = company, report, work
        self._owners: set[str] = set()
        self._stand_ins: dict[tuple[int, str], dict[str, Things]] = {}
        self._spares: dict[str, Things] = {}

    def owns(self, things: Things) -> None:
        """Know somebody as an owner of what others may not see."""
        self._owners.add(things.person.id)

    async def prepare(self, asked: Sequence[Asked], others: Sequence[Things]) -> None:
        """Have somebody like Alice where an id that is free for an asker becomes theirs by asking."""
        for one in asked:
            for things in others:
                if one.makes and things.person.token:
                    self._stand_ins[id(one.row), things.person.name] = await self._like_alice(one)

    async def _like_alice(self, asked: Asked) -> dict[str, Things]:
        """Whose things are asked for, by the place of the id: for admins' rows somebody else each time."""
        found: dict[str, Things] = {}
        owner: Things | None = None
        for place in asked.ids:
            if owner is None or asked.row.admin:
                owner = Things(self._company, await self._company.hire("alice"))
                self.owns(owner)
            found[place] = owner
            for kind in chain.from_iterable(asked.ids.values()):
                await owner.get(kind)
        return found

    # --- one row, one asker --------------------------------------------------------------------------

    async def ask(self, asked: Asked, alice: Things, asker: Things) -> None:
        """Ask for each id of a row as somebody who has none of it."""
        await self._door(asked, asker)
        ins = self._stand_ins.get((id(asked.row), asker.person.name), {})
        for name, named in asked.ids.items():
            for kind in named:
                await self._probe(asked, Place(name, kind), ins.get(name, alice), asker)

    async def _door(self, asked: Asked, asker: Things) -> None:
        """Ask without an id for what needs none, where the door must be shut."""
        if asked.required() or shut(asked, asker.person) is None:
            return
        answer = await request_of(asked, {}, asker.person).by(asker.person)
        self._check_door(asked, asker, answer)
        self.check_traces(asked.route, asker, answer.body, {})

    async def _probe(self, asked: Asked, place: Place, owner: Things, asker: Things) -> None:
        """Ask for one of Alice's things among hers, and among those of whoever asks."""
        thing, theirs = await owner.get(place.kind), await values_of(asked, owner, whole=True)
        answer = await self._compare(asked, place, {**theirs, place.name: thing}, asker)
        needed = [it for it in asked.required() if it not in asked.row.new]
        if place.name in needed and asked.row.known and not answer.refused:
            what = f"{place.name} reaches what is another's: {answer.status}"
            self._report.found(asked.route, asker.person.name, what)
        if not asker.person.token or (asked.row.once and place.name in asked.row.new):
            return
        if place.kind == kinds.KEY and not answer.refused:
            return  # from now on it is their own
        if {*needed, *tenants_in(asked)} - {place.name}:
            mine = await values_of(asked, await self._own(asked, asker), whole=False)
            await self._compare(asked, place, {**mine, place.name: thing}, asker)

    async def _own(self, asked: Asked, asker: Things) -> Things:
        """What an asker has; of an admin who changes something, a user that may change."""
        row, person = asked.row, asker.person
        if not (row.admin and person.admin) or row.reads:
            return asker
        if asked.makes:
            return Things(self._company, await self._company.hire("own", person.tenant))
        if person.name not in self._spares:
            spare = Things(self._company, await self._company.hire("own", person.tenant))
            self._spares[person.name] = spare
        return self._spares[person.name]

    async def _compare(self, asked: Asked, place: Place, values: Values, asker: Things) -> Answer:
        """Ask for what is not theirs and for what is not there, and see that both answers are one."""
        route, who = asked.route, asker.person.name
        theirs, absent = await self._both(asked, place, values, asker)
        apart = difference(theirs.answer, absent.answer)
        if apart is not None:
            self._report.found(route, who, f"{place.name} tells not-yours from not-there: {apart}")
        elif theirs.work != absent.work:
            self._report.found(route, who, f"{place.name}: {_apart(theirs.work, absent.work)}")
        self._report.compared[route] += 1
        self._report.askers[who] += 1
        self._report.work += self._work is not None
        self._check_door(asked, asker, theirs.answer)
        self.check_traces(route, asker, theirs.answer.body, values)
        return theirs.answer

    async def _both(
        self, asked: Asked, place: Place, values: Values, asker: Things
    ) -> tuple[Told, Told]:
        """Both answers, asked for again where they are one and the server did something by itself beside one."""
        make, tried = another(place.kind), 0
        # A key is the asker's own from its first use on: what the server remembers is to be there before.
        if place.kind == kinds.KEY:
            await self._ask(asked, place, {**values, place.name: make(values[place.name])}, asker)
        while True:
            tried += 1
            theirs = await self._ask(asked, place, values, asker)
            nowhere = self._company.lost if place.kind == kinds.EXPORT else make(values[place.name])
            random = {**values, place.name: nowhere}
            absent = await self._ask(asked, place, random, asker)
            settled = theirs.answer != absent.answer or theirs.work == absent.work
            if settled or tried == TRIES:
                return theirs, absent

    async def _ask(self, asked: Asked, place: Place, given: Values, asker: Things) -> Told:
        """Ask, and take the work that it was. What is to be made has a new name each time."""
        person, others = asker.person, set(asked.row.new) - {place.name}
        new = {it: like(value) for it, value in given.items() if it in others}
        values = {**given, **new}
        request = request_of(asked, values, person)
        if self._work is not None:
            self._work.taken()
        answer = await request.by(person)
        if not answer.refused and "body.user_id" in asked.row.new:
            self._company.made.append((person.tenant, values["body.user_id"]))
        masked = told(answer, [values[place.name], *new.values()], asked.row.grows)
        return Told(masked, [] if self._work is None else self._work.taken())

    # --- what must hold of each answer ---------------------------------------------------------------

    def _check_door(self, asked: Asked, asker: Things, answer: Answer) -> None:
        status = shut(asked, asker.person)
        if status is not None and answer.status != status:
            what = f"is answered {answer.status} where it is {status}"
            self._report.found(asked.route, asker.person.name, what)

    def check_traces(self, route: str, reader: Things, text: str, values: Values) -> None:
        """See that nothing of an owner's is in an answer to another, but what they said themselves."""
        person, said = reader.person, {reader.person.name, *values.values()}
        for trace, (owner, kind) in self._company.traces.items():
            if owner not in self._owners or owner == person.id or trace not in text:
                continue
            if not any(it in trace or trace in it for it in said):
                self._report.found(route, person.name, f"is told a {kind} of another's: {trace}")
        shared = self._company.shared
        if shared and person.tenant != self._company.home and shared in text:
            self._report.found(route, person.name, f"is told a profile of another tenant: {shared}")


def shut(asked: Asked, person: Person) -> int | None:
    """The status of a door that is shut for somebody, or `None`."""
    if asked.public:
        return None
    if not person.token:
        return 401
    row = asked.row
    may = (person.admin or not row.admin) and (person.over_all or not row.over_all)
    return None if may else 403


def tenants_in(asked: Asked) -> list[str]:
    """The places of a row that name a tenant."""
    return [name for name, named in asked.ids.items() if named == (kinds.TENANT,)]


def _apart(one: Sequence[str], other: Sequence[str]) -> str:
    more, less = Counter(one) - Counter(other), Counter(other) - Counter(one)
    return f"{len(one)} statements instead of {len(other)}; more: {list(more)}; fewer: {list(less)}"
