"""`perdure openapi`: the description of the API, as the gateway gives it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from perdure.app.commands.options import talk
from perdure.errors import Invalid


def openapi(
    ctx: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write it to a file.")] = None,
) -> None:  # fmt: skip
    """Print the OpenAPI document of the gateway."""
    document = talk(ctx, lambda gateway: gateway.get("//openapi.json"))
    text = json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True)
    if out is None:
        typer.echo(text)
        return
    try:
        out.write_text(text + "\n")
    except OSError as error:
        raise Invalid(f"{out} cannot be written: {error.strerror}") from error
