"""Commands about users: who there is, what lets them in, and how the first admin gets in again."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from perdure.app.commands.options import AsJson, screen, show, talk

if TYPE_CHECKING:
    from rich.text import Text

    from perdure.app.client import Gateway
    from perdure.app.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Make, show, change and delete users and their tokens.", rich_markup_mode=None)  # fmt: skip
User = Annotated[str, typer.Argument(metavar="USER", help="The id of a user.")]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Their tenant, if it is not your own.")]  # fmt: skip
Roles = Annotated[list[str] | None, typer.Option("--role", help="`user` or `admin`; may be repeated.")]  # fmt: skip
Scopes = Annotated[list[str] | None, typer.Option("--scope", help="Holds them to what it names, such as `run:*`; may be repeated.")]  # fmt: skip
ONCE = "Their token is shown this once:"


@app.command("list")
def list_users(ctx: typer.Context, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """List the users of a tenant."""
    show(talk(ctx, lambda gateway: _every(gateway, tenant)), as_json, users_table)


async def _every(gateway: "Gateway", tenant: str | None) -> list[Any]:
    found: list[Any] = []
    cursor = None
    while True:
        page: Any = await gateway.get("/admin/users", tenant_id=tenant, cursor=cursor)
        found += page["users"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


@app.command()
def add(
    ctx: typer.Context, user: User, tenant: Tenant = None,
    email: Annotated[str | None, typer.Option("--email", help="Where they are written to.")] = None,
    role: Roles = None, scope: Scopes = None,
    runtime: Annotated[str | None, typer.Option("--runtime", help="The id of their runtime; their own again, or their name.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a user, and show their token, once."""
    body = {
        "user_id": user, "tenant_id": tenant, "email": email, "roles": role or ["user"],
        "scopes": scope or [], "runtime_id": runtime,
    }  # fmt: skip
    show(talk(ctx, lambda gateway: gateway.post("/admin/users", body)), as_json, with_token)


@app.command("show")
def show_user(ctx: typer.Context, user: User, tenant: Tenant = None, as_json: AsJson = False) -> None:  # fmt: skip
    """Show a user."""
    answer = talk(ctx, lambda gateway: gateway.get(path_of(user), tenant_id=tenant))
    show(answer, as_json, with_token)


@app.command()
def rotate(
    ctx: typer.Context, user: User, tenant: Tenant = None,
    overlap: Annotated[int, typer.Option("--overlap", min=0, help="For how many seconds the tokens before stay good.")] = 0,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Give a user a new token, shown once. It takes the place of all that they have."""
    body = {"rotate_token": True, "overlap_s": overlap}
    show(_changed(ctx, user, tenant, body), as_json, with_token)


@app.command()
def disable(ctx: typer.Context, user: User, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Let a user in no more. Their tokens, their sessions and their runs stop."""
    show(_changed(ctx, user, tenant, {"enabled": False}), as_json, with_token)


@app.command()
def enable(ctx: typer.Context, user: User, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Let a user in again."""
    show(_changed(ctx, user, tenant, {"enabled": True}), as_json, with_token)


@app.command()
def delete(ctx: typer.Context, user: User, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Delete a user. Their runtime is kept for them."""
    answer = talk(ctx, lambda gateway: gateway.delete(path_of(user), tenant_id=tenant))
    show(answer, as_json, lambda it: f"{it['tenant_id']}/{it['user_id']} is deleted; their runtime is kept.")  # fmt: skip


@app.command()
def tokens(
    ctx: typer.Context, user: User, tenant: Tenant = None,
    name: Annotated[str | None, typer.Option("--add", metavar="NAME", help="Make another token under this name.")] = None,
    expires_at: Annotated[str | None, typer.Option("--expires-at", help="When the new token ends, such as 2027-01-31T00:00:00Z.")] = None,
    revoke: Annotated[str | None, typer.Option("--revoke", metavar="ID", help="End the token of this id.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """List a user's tokens, make another, or end one."""
    at = f"{path_of(user)}/tokens"
    query = "" if tenant is None else f"?tenant_id={quote(tenant, safe='')}"
    if name is not None:
        body = {"name": name, "expires_at": expires_at}
        show(talk(ctx, lambda gateway: gateway.post(at + query, body)), as_json, with_token)
    elif revoke is not None:
        one = f"{at}/{quote(revoke, safe='')}"
        answer = talk(ctx, lambda gateway: gateway.delete(one, tenant_id=tenant))
        show(answer, as_json, lambda it: f"The token {it['id']} is revoked.")
    else:
        found: Any = talk(ctx, lambda gateway: gateway.get(at, tenant_id=tenant))
        show(found["tokens"], as_json, tokens_table)


@app.command()
def bootstrap(
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Where everything is kept.")] = None,
) -> None:  # fmt: skip
    """Let default/admin in again by a new token. It is for when nobody else can; stop the gateway first.

    It asks for no token: whoever can read and write the data directory may do it, and it is on
    the record.
    """
    import anyio

    from perdure.app.settings import read_settings
    from perdure.app.token_files import bootstrap_path

    settings = read_settings(data_dir=data_dir)
    token = anyio.run(_reinstated, settings)
    on = screen()
    on.say(f"default/admin gets in by this token alone; it is also in {bootstrap_path(settings)}.")
    on.show(token)


async def _reinstated(settings: "Settings") -> str:
    from contextlib import AsyncExitStack

    from perdure.app.control import open_control, open_ground, reinstate_admin
    from perdure.app.settings import make_data_folder
    from perdure.clock import SystemClock

    make_data_folder(settings)
    async with AsyncExitStack() as stack:
        ground = await open_ground(stack, settings)
        control = await open_control(stack, settings, ground, SystemClock())
        return await reinstate_admin(settings, control)


def _changed(ctx: typer.Context, user: str, tenant: str | None, body: dict[str, Any]) -> Any:
    return talk(ctx, lambda gateway: gateway.patch(path_of(user), body, tenant_id=tenant))


def path_of(user: str) -> str:
    """Where a user is below the API."""
    return f"/admin/users/{quote(user, safe='')}"


def users_table(users: Sequence[Any]) -> "Text":
    """A row for each user."""
    from perdure.app.render import table

    rows = (
        (it["user_id"], ", ".join(it["roles"]), it["runtime_id"], it["email"], "" if it["enabled"] else "disabled")
        for it in users
    )  # fmt: skip
    return table(("user", "roles", "runtime", "e-mail", ""), rows)


def tokens_table(tokens: Sequence[Any]) -> "Text":
    """A row for each token."""
    from perdure.app.render import table

    rows = (
        (it["id"], it["name"], it["fingerprint"], it["created_at"], it["overlap_until"] or it["expires_at"] or "never", it["last_used_at"] or "never")
        for it in tokens
    )  # fmt: skip
    return table(("id", "name", "fingerprint", "made", "ends", "last used"), rows)


def with_token(answer: Any) -> "Text":
    """A user or a token as a page, and at its end what is shown this once."""
    from perdure.app.render import facts

    told = answer.get("user") or answer["known"]
    rows = [(name, ", ".join(it) if isinstance(it, list) else str(it if it is not None else "")) for name, it in told.items()]  # fmt: skip
    page = facts(rows)
    if token := answer.get("token"):
        page.append(f"\n{ONCE}\n{token}")
    return page
