"""Streams that show the same ask once for all, and an answer is good for a moment only."""

from dataclasses import dataclass, field, replace

import pytest

from perdure.api import rechecks
from perdure.api.callers import Callers
from perdure.api.cookies import CookieNames
from perdure.api.lockout import Lockout
from perdure.api.proxies import Seen
from perdure.api.rechecks import Rechecks
from perdure.errors import StoreFailed, Unauthenticated
from perdure.identity.credentials import SessionFound, local_admin
from perdure.identity.principal import Principal
from tests.support.clock import FakeClock

pytestmark = pytest.mark.anyio
SEEN = Seen("10.0.0.1", "gate", secure=False)
READER = local_admin("f")


@dataclass
class Known:
    """Tokens, whose principals they are, and how often each was asked for."""

    principals: dict[str, Principal] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fails: bool = False
    mode: str = "users"

    async def principal_of(self, token: str) -> Principal | None:
        """Whose token it is."""
        if self.fails:
            raise StoreFailed
        self.asked.append(token)
        return self.principals.get(token)

    async def principal_of_session(self, value: str) -> SessionFound:
        """Nobody."""
        raise Unauthenticated

    async def sign_in(self, user: str, token: str) -> Principal:
        """Nobody."""
        raise Unauthenticated


def a_desk() -> tuple[Rechecks, Known, FakeClock]:
    """Rechecks whose answers are good for a second, and the one good token `t`."""
    known, clock = Known({"t": READER}), FakeClock()
    callers = Callers(known, CookieNames(), Lockout(clock, 1, 60, 60))
    return Rechecks(callers, clock, 1.0), known, clock


def bearer(token: str) -> dict[bytes, bytes]:
    """What a stream showed."""
    return {b"authorization": f"Bearer {token}".encode()}


async def test_streams_that_show_the_same_ask_once_in_a_while() -> None:
    desk, known, clock = a_desk()
    for _ in range(5):
        assert await desk.is_good(bearer("t"), SEEN, READER)
    assert known.asked == ["t"]
    clock.advance(1)
    assert await desk.is_good(bearer("t"), SEEN, READER)
    assert known.asked == ["t", "t"]


async def test_what_was_taken_back_is_good_no_more_after_that_while() -> None:
    desk, known, clock = a_desk()
    assert await desk.is_good(bearer("t"), SEEN, READER)
    known.principals.clear()
    clock.advance(1)
    assert not await desk.is_good(bearer("t"), SEEN, READER)


async def test_a_reader_who_is_somebody_else_by_now_is_not_good() -> None:
    desk, known, clock = a_desk()
    for other in (
        replace(READER, scopes=("run:read",)),
        replace(READER, credential="token:other"),
        replace(READER, roles=frozenset()),
    ):
        known.principals["t"] = other
        clock.advance(1)
        assert not await desk.is_good(bearer("t"), SEEN, READER)


async def test_each_credential_is_asked_for_itself() -> None:
    desk, _, _ = a_desk()
    assert await desk.is_good(bearer("t"), SEEN, READER)
    for other in (bearer("u"), {}, {b"cookie": b"abstractgateway_session=t"}):
        assert not await desk.is_good(other, SEEN, READER)


async def test_nothing_is_counted_as_a_failure_to_sign_in() -> None:
    desk, _, clock = a_desk()
    for _ in range(5):
        clock.advance(1)
        assert not await desk.is_good(bearer("u"), SEEN, READER)


async def test_where_nobody_can_say_the_error_is_told_and_not_kept() -> None:
    desk, known, _ = a_desk()
    known.fails = True
    with pytest.raises(StoreFailed):
        await desk.is_good(bearer("t"), SEEN, READER)
    known.fails = False
    assert await desk.is_good(bearer("t"), SEEN, READER)


async def test_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rechecks, "KEPT_MAX", 3)
    desk, known, _ = a_desk()
    for token in "abcdea":
        await desk.is_good(bearer(token), SEEN, READER)
    assert known.asked == list("abcdea")
    assert len(desk._answers) == 3
