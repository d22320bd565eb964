"""Uses are noted in passing and written down now and then, once a minute for each thing."""

import anyio
import pytest

from perdure.identity.tokens import read_token
from perdure.ids import TokenId
from perdure.services import uses as module
from perdure.services.uses import Lately, Uses
from tests.support.control import Control

pytestmark = pytest.mark.anyio


def uses_of(kept: Control) -> Uses:
    """The uses of a process."""
    return Uses(kept.context.tokens, kept.context.sessions, kept.clock)


def id_in(text: str) -> TokenId:
    """The id of a token."""
    shown = read_token(text)
    assert shown is not None
    return shown.id


def last_used(kept: Control) -> list[str | None]:
    """When each token was last used, as far as it is written down."""
    return [row[0] for row in kept.rows("SELECT last_used_at FROM tokens ORDER BY user_id")]


async def test_a_use_is_written_down_once_a_minute(kept: Control) -> None:
    _, text = await kept.user()
    uses, first = uses_of(kept), kept.now
    uses.token(id_in(text))
    assert last_used(kept) == [None], "not on the way of the request"
    await uses.flush()
    assert last_used(kept) == [first]
    kept.clock.advance(59)
    uses.token(id_in(text))
    await uses.flush()
    assert last_used(kept) == [first]
    kept.clock.advance(1)
    uses.token(id_in(text))
    await uses.flush()
    assert last_used(kept) == [kept.now]


async def test_what_was_not_used_writes_nothing(kept: Control) -> None:
    await kept.user()
    kept.database.taken()
    await uses_of(kept).flush()
    assert kept.database.taken() == []


async def test_uses_are_gathered_and_written_down_by_themselves(
    kept: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GATHER_S", 0.01)
    texts = [(await kept.user(name))[1] for name in ("alice", "bob")]
    uses = uses_of(kept)
    async with anyio.create_task_group() as group:
        group.start_soon(uses.serve)
        for text in texts:
            uses.token(id_in(text))
        with anyio.fail_after(30):
            while last_used(kept) != [kept.now, kept.now]:
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()


def test_so_many_are_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOWN_MAX", 2)
    lately: Lately[str] = Lately()
    assert [lately.note(it, 0.0) for it in ("a", "b", "a", "c", "b", "a")] == [
        True, True, False, True, False, True,
    ]  # fmt: skip
    assert sorted(lately.taken()) == ["a", "b", "c"]
    assert lately.taken() == []
