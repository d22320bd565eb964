"""A bug is kept from spreading, and told."""

import anyio
import pytest

from perdure.runner.supervise import containing, keep_going


def test_a_bug_is_named_and_goes_no_further() -> None:
    """The name of the exception, never its text: that may hold what is another's."""
    with containing("work") as contained:
        raise ValueError("secret")
    assert contained.bug == "ValueError"


def test_work_that_ends_well_has_no_bug() -> None:
    """Nothing is said of it."""
    with containing("work") as contained:
        pass
    assert contained.bug is None


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
