"""What keeps the audit beside the requests: counts of refusals are written, chains are vouched for."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

import anyio
import structlog

from perdure.api.acts import Recorder
from perdure.errors import GatewayError
from perdure.runtimes.control import ControlContext
from perdure.services.audit import vouch
from perdure.services.denials import Denials

log: Final = structlog.get_logger("perdure.audit")

EVERY_S: Final = 60.0  # between two checkpoints, and two looks for counts whose time is over


async def open_recorder(
    stack: AsyncExitStack, control: ControlContext, *, every_s: float = EVERY_S
) -> Recorder:
    """What writes down requests, with its keeper at work until `stack` ends; nothing is left unwritten then."""
    denials = Denials(control)

    async def end() -> None:
        await _kept(lambda: denials.flush(every=True))
        await _kept(lambda: vouch(control))

    stack.push_async_callback(end)
    group = await stack.enter_async_context(anyio.create_task_group())
    stack.callback(group.cancel_scope.cancel)
    group.start_soon(_keep, control, denials, every_s)
    return Recorder(control, denials)


async def _keep(control: ControlContext, denials: Denials, every_s: float) -> None:
    while True:
        await anyio.sleep(every_s)
        await _kept(denials.flush)
        await _kept(lambda: vouch(control))


async def _kept(work: Callable[[], Awaitable[object]]) -> None:
    """Do a piece of keeping; where the store fails, the next one does it."""
    try:
        await work()
    except GatewayError as failed:
        log.error("the audit was not kept up", why=failed.detail)
