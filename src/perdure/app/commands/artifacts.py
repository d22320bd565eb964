"""Commands about artifacts: which there are, a file sent to a session, and the bytes of one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.app.commands.options import AsJson, show, talk
from perdure.errors import Invalid

if TYPE_CHECKING:
    from rich.text import Text

    from perdure.app.client import Gateway

READ_S = 60.0  # without a byte, after which a download is given up
app = typer.Typer(no_args_is_help=True, help="List, send and fetch artifacts.", rich_markup_mode=None)  # fmt: skip


@app.command("list")
def list_artifacts(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Option("--run", help="Only those of this run.")] = None,
    session: Annotated[str | None, typer.Option("--session", help="Only those of this session.")] = None,
    query: Annotated[str | None, typer.Option("--query", "-q", help="A part of a name, a tag or a kind.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """List artifacts, newest first."""
    asked = {"run_id": run, "session_id": session, "query": query, "limit": limit}
    answer = talk(ctx, lambda gateway: gateway.get("/artifacts/search", **asked))
    show(answer["items"], as_json, artifacts_table)


def artifacts_table(items: list[Any]) -> "Text":
    """A row for each artifact."""
    from perdure.app.render import table

    rows = (
        (it["artifact_id"], it["run_id"], it["content_type"], str(it["size_bytes"]), it["filename"] or "")
        for it in items
    )  # fmt: skip
    return table(("artifact", "owner", "type", "bytes", "name"), rows)


@app.command()
def upload(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The file to send.")],
    session: Annotated[str, typer.Option("--session", help="The session that is to have it.")],
    as_json: AsJson = False,
) -> None:
    """Send a file to a session, piece by piece. The same file again changes nothing."""
    try:
        with path.open("rb") as file:
            answer = talk(ctx, lambda gateway: gateway.attach(path.name, file, session))
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from error
    show(answer, as_json, lambda it: f"Sent {it['artifact']['artifact_id']} to {it['run_id']}.")


@app.command()
def get(
    ctx: typer.Context,
    artifact: Annotated[str, typer.Argument(metavar="ARTIFACT", help="The id of an artifact.")],
    owner: Annotated[str, typer.Option("--of", help="The run that has it, or its owner as `list` names it.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="PATH", help="The file to write.")],
) -> None:  # fmt: skip
    """Fetch the bytes of an artifact into a file. It is there whole or not at all."""
    part = out.with_name(f".{out.name}.part")
    try:
        with part.open("xb") as file:
            talk(ctx, lambda gateway: _fetch(gateway, owner, artifact, file.write))
        part.replace(out)
    except OSError as error:
        raise Invalid(f"{out} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


async def _fetch(gateway: "Gateway", owner: str, artifact: str, write: Any) -> None:
    from perdure.app.client import quoted

    path = f"/runs/{quoted(owner)}/artifacts/{quoted(artifact)}/content"
    async with gateway.open(path, {}, READ_S, access="download") as answer:
        async for piece in answer.aiter_bytes():
            write(piece)
