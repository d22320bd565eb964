"""`perdure doctor`: look for what would keep the gateway from working, and say what mends it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.app.commands.options import AsJson, show
from perdure.app.failures import FAILED

if TYPE_CHECKING:
    from rich.text import Text


def doctor(
    ctx: typer.Context,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Where everything is kept.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Look for what is wrong on this machine.

    Each finding comes with the line that mends it. Ends with 1 if something is wrong; a warning
    is not wrong.
    """
    from perdure.app.doctor import findings
    from perdure.app.findings import Level
    from perdure.app.settings import read_settings

    found = findings(read_settings(data_dir=data_dir, url=ctx.obj.url, token=ctx.obj.token))
    show([it._asdict() for it in found], as_json, page)
    if any(it.level is Level.WRONG for it in found):
        raise typer.Exit(FAILED)


def page(found: list[dict[str, Any]]) -> "Text":
    """The findings for a person."""
    from rich.text import Text

    from perdure.app.render import safe

    colours = {"ok": "green", "warning": "yellow", "wrong": "red"}
    text = Text()
    for it in found:
        text.append(f"{it['level']:<8}", style=colours[it["level"]])
        text.append(f"{it['name']}: {safe(it['detail'])}\n")
        if it["mend"]:
            text.append(f"{'':<8}mend: {safe(it['mend'])}\n", style="bold")
    text.rstrip()
    return text
