"""What the shell offers after a Tab: ids that the gateway knows, where one answers at once."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import typer

from perdure.errors import GatewayError

if TYPE_CHECKING:
    from perdure.app.client import Gateway

Offered = list[tuple[str, str]]
WAIT_S = 1.5  # a shell that hangs is worse than one that offers nothing
RUNS_MAX = 50


def runs(ctx: typer.Context, incomplete: str) -> Offered:
    """The newest runs whose id begins so, each with its flow and status."""

    async def ask(gateway: "Gateway") -> Offered:
        rows = await gateway.runs(RUNS_MAX)
        return [(it["run_id"], f"{it['workflow_id']}, {it['status']}") for it in rows]

    return _offered(ctx, incomplete, ask)


def bundles(ctx: typer.Context, incomplete: str) -> Offered:
    """The installed bundles whose id begins so, each with what it does."""

    async def ask(gateway: "Gateway") -> Offered:
        rows = (await gateway.get("/bundles"))["items"]
        return [(it["bundle_id"], _about(it["entrypoints"])) for it in rows]

    return _offered(ctx, incomplete, ask)


def _about(entrypoints: list[dict[str, str]]) -> str:
    return entrypoints[0].get("description", "") if entrypoints else ""


def _offered(
    ctx: typer.Context, incomplete: str, ask: Callable[["Gateway"], Awaitable[Offered]]
) -> Offered:
    import anyio

    from perdure.app.client import Gateway, address_of
    from perdure.app.settings import read_settings

    said = ctx.find_root().params

    async def main() -> Offered:
        with anyio.move_on_after(WAIT_S):
            settings = read_settings(url=said.get("url"), token=said.get("token"))
            async with Gateway(*address_of(settings)) as gateway:
                return [it for it in await ask(gateway) if it[0].startswith(incomplete)]
        return []

    try:
        return anyio.run(main)
    except GatewayError:
        return []
