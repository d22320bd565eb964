"""Commands about runtimes that nobody has: what users who are gone left behind."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from perdure.app.commands.options import AsJson, show, talk

if TYPE_CHECKING:
    from rich.text import Text

    from perdure.app.client import Gateway

app = typer.Typer(no_args_is_help=True, help="Show, hand on and purge the runtimes that nobody has.", rich_markup_mode=None)  # fmt: skip
PATH = "/admin/runtime-reservations"
Runtime = Annotated[str, typer.Argument(metavar="RUNTIME", help="The id of a runtime.")]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Its tenant, if it is not your own.")]


@app.command("list")
def list_runtimes(ctx: typer.Context, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """List the runtimes of a tenant that nobody has."""
    show(talk(ctx, lambda gateway: _every(gateway, tenant)), as_json, runtimes_table)


async def _every(gateway: "Gateway", tenant: str | None) -> list[Any]:
    found: list[Any] = []
    cursor = None
    while True:
        page: Any = await gateway.get(PATH, tenant_id=tenant, cursor=cursor)
        found += page["runtime_reservations"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


@app.command()
def transfer(
    ctx: typer.Context, runtime: Runtime,
    to: Annotated[str, typer.Option("--to", metavar="USER", help="Who gets it; the one that they have now is kept.")],
    tenant: Tenant = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Give a runtime that nobody has to a user of its tenant."""
    body = {"tenant_id": tenant, "target_user_id": to, "confirm_runtime_id": runtime}
    answer = talk(ctx, lambda gateway: gateway.post(f"{PATH}/{quote(runtime, safe='')}/transfer", body))  # fmt: skip
    show(answer, as_json, lambda it: f"{to} has {runtime} now; {it['previous_runtime_id']}, which was theirs, is kept.")  # fmt: skip


@app.command()
def purge(
    ctx: typer.Context, runtime: Runtime,
    confirm: Annotated[str, typer.Option("--confirm", metavar="RUNTIME", help="The id once more: nothing brings the data back.")],
    tenant: Tenant = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take a runtime that nobody has away for good, with all its data."""
    body = {"tenant_id": tenant, "confirm_runtime_id": confirm}
    answer = talk(ctx, lambda gateway: gateway.post(f"{PATH}/{quote(runtime, safe='')}/purge", body))  # fmt: skip
    show(answer, as_json, lambda it: f"{it['tenant_id']}/{it['runtime_id']} is gone, with its data.")  # fmt: skip


def runtimes_table(found: Sequence[Any]) -> "Text":
    """A line for each runtime."""
    from perdure.app.render import table

    rows = [
        (it["runtime_id"], it["owner_user_id"], it["reason"] or "", "yes" if it["data_exists"] else "no", it["data_path"])
        for it in found
    ]  # fmt: skip
    return table(("runtime", "was of", "why", "data", "files"), rows)
