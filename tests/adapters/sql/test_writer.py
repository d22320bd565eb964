"""Group commit: batches form while the one before is written, and nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, current_thread
from typing import Any

import pytest

from perdure.adapters.sql.writer import (
    BATCH_MAX,
    BATCH_SHARED,
    TURN,
    Answer,
    Company,
    Writer,
)
from perdure.errors import Unavailable, VersionConflict

pytestmark = pytest.mark.anyio


class Batches:
    """Writes nothing, and remembers what it was given; it waits while `gate` is closed."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.told: list[Any] = []
        self.gate = Event()
        self.gate.set()
        self.waiting = False  # a thread has come to the gate
        self.threads: set[str] = set()

    def write(self, batch: Sequence[Any]) -> list[Answer]:
        self.waiting = True
        assert self.gate.wait(10)
        self.threads.add(current_thread().name)
        self.sizes.append(len(batch))
        if "bug" in batch:
            raise ZeroDivisionError
        return [Answer(error=VersionConflict()) if it == "lose" else Answer(it) for it in batch]

    def tell(self, batch: Sequence[Any], answers: Sequence[Answer]) -> None:
        self.told += batch


@pytest.fixture
async def batches() -> Batches:
    """What is written to."""
    return Batches()


@pytest.fixture
async def writer(batches: Batches) -> AsyncIterator[Writer]:
    """A writer on threads of its own."""
    threads = ThreadPoolExecutor(2, thread_name_prefix="test-writer")
    writer = Writer(batches, threads, asyncio.get_running_loop())
    yield writer
    batches.gate.set()
    await writer.close()
    threads.shutdown()


async def test_each_caller_hears_its_own_answer(writer: Writer, batches: Batches) -> None:
    ended = await asyncio.gather(*map(writer.put, ["a", "lose", "b"]), return_exceptions=True)
    assert [ended[0], type(ended[1]), ended[2]] == ["a", VersionConflict, "b"]
    assert batches.told == ["a", "lose", "b"]


async def test_what_becomes_ready_together_is_one_batch(writer: Writer, batches: Batches) -> None:
    await asyncio.gather(*map(writer.put, range(100)))
    assert batches.sizes == [100]


async def test_what_gathers_while_a_batch_is_written_is_the_next_batch(
    writer: Writer, batches: Batches
) -> None:
    batches.gate.clear()
    first = writer.put("first")
    await asyncio.sleep(0)
    rest = []
    for number in range(30):
        rest.append(writer.put(number))
        await asyncio.sleep(0)
    batches.gate.set()
    await asyncio.gather(first, *rest)
    assert batches.sizes == [1, 30]


async def test_what_callers_hand_in_as_they_hear_goes_with_what_waits(
    writer: Writer, batches: Batches
) -> None:
    """All who take step after step come to be in one batch, wherever they began."""

    async def takes_steps(name: str) -> None:
        for _ in range(3):
            await writer.put(name)

    batches.gate.clear()
    first = asyncio.create_task(takes_steps("first"))
    while not batches.waiting:
        await asyncio.sleep(0)
    second = asyncio.create_task(takes_steps("second"))
    await asyncio.sleep(0)
    batches.gate.set()
    await asyncio.gather(first, second)
    assert batches.sizes == [1, 2, 2, 1]


async def test_a_batch_has_a_bound(writer: Writer, batches: Batches) -> None:
    answers = await asyncio.gather(*map(writer.put, range(BATCH_MAX + 1)))
    assert answers == list(range(BATCH_MAX + 1))
    assert batches.sizes == [BATCH_MAX, 1]


async def test_order_is_kept(writer: Writer, batches: Batches) -> None:
    await asyncio.gather(*map(writer.put, range(BATCH_MAX * 3)))
    assert batches.told == list(range(BATCH_MAX * 3))


async def test_even_a_bug_is_an_answer_and_writing_goes_on(writer: Writer) -> None:
    with pytest.raises(ZeroDivisionError):
        await writer.put("bug")
    assert await writer.put("a") == "a"


async def test_a_caller_that_has_gone_stops_nothing(writer: Writer, batches: Batches) -> None:
    batches.gate.clear()
    gone, stays = writer.put("gone"), writer.put("stays")
    gone.cancel()
    batches.gate.set()
    assert await stays == "stays"
    assert batches.told == ["gone", "stays"]


async def test_closing_waits_for_what_was_handed_in_and_takes_nothing_more(writer: Writer) -> None:
    handed_in = [writer.put(number) for number in range(5)]
    await writer.close()
    assert all(it.done() for it in handed_in)
    with pytest.raises(Unavailable):
        writer.put("late")
    await writer.close()


async def test_hundreds_of_writers_share_a_few_threads() -> None:
    threads = ThreadPoolExecutor(2, thread_name_prefix="test-writer")
    many = [Batches() for _ in range(300)]
    writers = [Writer(it, threads, asyncio.get_running_loop()) for it in many]
    await asyncio.gather(*(writer.put(n) for n in range(10) for writer in writers))
    assert len({name for it in many for name in it.threads}) <= 2
    for writer in writers:
        await writer.close()
    threads.shutdown()


async def together(count: int, threads: ThreadPoolExecutor) -> tuple[list[Batches], list[Writer]]:
    """So many writers that share some threads, and know of one another."""
    company, loop = Company(), asyncio.get_running_loop()
    many = [Batches() for _ in range(count)]
    return many, [Writer(it, threads, loop, company) for it in many]


async def test_a_plane_with_much_to_write_gives_its_thread_up_to_another_that_waits() -> None:
    """One thread, a long line of one plane, a single write of another: after one batch it has its turn."""
    with ThreadPoolExecutor(1) as threads:
        (alice, bob), (busy, other) = await together(2, threads)
        alice.gate.clear()
        line = [busy.put(number) for number in range(BATCH_SHARED * 8)]
        await asyncio.sleep(0)
        bob.sizes = alice.sizes  # one list of what was written, in its order
        single = other.put("single")
        await asyncio.sleep(0)
        alice.gate.set()
        await asyncio.gather(single, *line)
        assert alice.sizes == [BATCH_SHARED, 1, *[BATCH_SHARED] * 7]
        for writer in (busy, other):
            await writer.close()


async def test_callers_of_a_large_batch_hear_in_turns_with_those_of_others() -> None:
    """Both are answered on the loop at the same moment, the large batch first."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as threads:
        _, (busy, other) = await together(2, threads)
        heard: list[str] = []

        def answered(writer: Writer, name: str, count: int) -> None:
            batch = [(name, loop.create_future()) for _ in range(count)]
            for _, future in batch:
                future.add_done_callback(lambda done: heard.append(done.result()))
            loop.call_soon(writer._answer, batch, [Answer(name)] * count)

        answered(busy, "alice", BATCH_SHARED)
        answered(other, "bob", 1)
        while len(heard) < BATCH_SHARED + 1:
            await asyncio.sleep(0)
        assert heard.index("bob") == TURN
        for writer in (busy, other):
            await writer.close()


async def test_a_plane_alone_answers_a_whole_batch_at_once(writer: Writer) -> None:
    """Also one that had company before."""
    heard: list[int] = []
    line = [writer.put(number) for number in range(100)]
    line[0].add_done_callback(lambda _done: heard.append(sum(it.done() for it in line)))
    await asyncio.gather(*line)
    assert heard == [100]
