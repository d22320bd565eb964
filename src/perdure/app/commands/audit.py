"""Commands about the audit: its end, an export of it, and the check of an export without a gateway."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from perdure.app.commands.options import AsJson, show, talk
from perdure.app.failures import FAILED
from perdure.errors import Invalid

if TYPE_CHECKING:
    from perdure.app.client import Gateway

app = typer.Typer(no_args_is_help=True, help="Read, export and check what was done.", rich_markup_mode=None)  # fmt: skip

READ_S = 60.0  # between two pieces of an export
Tenant = Annotated[str | None, typer.Option("--tenant", help="Another tenant's chain, for an admin of more than one.")]  # fmt: skip


@app.command()
def tail(
    ctx: typer.Context,
    bytes_max: Annotated[int, typer.Option("--bytes", min=0, metavar="N", help="As many of the newest entries as fit.")] = 65_536,
    tenant: Tenant = None,
) -> None:  # fmt: skip
    """Print the newest entries. Each is a line of JSON, the newest last."""
    answer = talk(ctx, lambda it: it.get("/audit/tail", max_bytes=bytes_max, tenant_id=tenant))
    typer.echo(answer["content"], nl=False)


@app.command()
def export(
    ctx: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write it to a file.")] = None,
    after: Annotated[int, typer.Option("--after", min=0, metavar="N", help="Leave out the first N entries.")] = 0,
    tenant: Tenant = None,
) -> None:  # fmt: skip
    """Print the audit chain. With its checkpoints and a seal, it is what `perdure audit verify` reads."""
    if out is None:
        talk(ctx, lambda it: _exported(it, sys.stdout.buffer, after, tenant))
        return
    try:
        with out.open("wb") as file:
            talk(ctx, lambda it: _exported(it, file, after, tenant))
    except OSError as error:
        raise Invalid(f"{out} cannot be written: {error.strerror}") from error


async def _exported(gateway: "Gateway", file: BinaryIO, after: int, tenant: str | None) -> None:
    opened = gateway.open("/audit/export", {}, READ_S, after=after, tenant_id=tenant)
    async with opened as answer:
        async for piece in answer.aiter_bytes():
            file.write(piece)
    file.flush()


@app.command()
def key(ctx: typer.Context) -> None:
    """Print the public key that checkpoints and exports are signed with. Keep it elsewhere."""
    answer = talk(ctx, lambda gateway: gateway.get("/audit/checkpoints", limit=1))
    typer.echo(answer["public_key"], nl=False)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An export.")],
    key: Annotated[list[Path], typer.Option("--key", metavar="FILE", help="The public key; again for an older one.")],
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Check an export with a public key alone: no gateway is asked.

    The first entry that is not as it was written is named, and ends it with 1.
    """
    from perdure.adapters.notary import PublicKeys
    from perdure.identity import audit

    keys = PublicKeys([_bytes(path) for path in key])
    try:
        with file.open("rb") as lines:
            verdict = audit.verify(lines, keys.signed)
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}") from error
    show(verdict._asdict(), as_json, _sentence)
    if not verdict.ok:
        raise typer.Exit(FAILED)


def _sentence(verdict: dict[str, Any]) -> str:
    if verdict["ok"]:
        sealed = f"sealed {verdict['sealed_at']}"
        return f"The chain of {verdict['tenant']} is as written: {verdict['records']} entries, {sealed}."
    return f"From entry {verdict['bad_seq']} on the chain is not as written: {verdict['why']}."


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from error
