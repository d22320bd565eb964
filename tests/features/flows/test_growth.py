"""A step of a long run writes no more than one at its beginning: of a loop, and of a conversation."""

from statistics import mean

import pytest

from perdure.kernel.values import Json
from tests.support.lengthy import a_long_chat, a_long_loop, step_bytes

PASSES, WINDOW, MORE_AT_MOST = 300, 50, 1.2


@pytest.mark.parametrize("flow", [a_long_loop(PASSES), a_long_chat(PASSES)], ids=["loop", "chat"])
def test_a_late_step_writes_what_an_early_one_writes(flow: Json) -> None:
    sizes = step_bytes(flow, PASSES)
    early, late = mean(sizes[1 : 1 + WINDOW]), mean(sizes[-1 - WINDOW : -1])
    assert late <= early * MORE_AT_MOST
