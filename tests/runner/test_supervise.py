"""A loop that fails is not the end of it."""

import anyio
import pytest

from perdure.runner.supervise import keep_going


@pytest.mark.anyio
async def test_a_loop_that_fails_is_started_again() -> None:
    """Until it ends by itself."""
    starts: list[int] = []

    async def loop(limit: int) -> None:
        starts.append(1)
        if len(starts) < limit:
            raise RuntimeError

    with anyio.fail_after(30):
        await keep_going("loop", loop, 3)
    assert len(starts) == 3
