"""Commands by which a gateway that is at work shows that it keeps its promises."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.app.commands.options import AsJson, show
from perdure.app.failures import FAILED

if TYPE_CHECKING:
    from rich.text import Text

app = typer.Typer(no_args_is_help=True, help="Have a running gateway show that it keeps what it promises.", rich_markup_mode=None)  # fmt: skip


@app.command()
def isolation(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Option("--url", help="The gateway, in user mode.")] = None,
    token: Annotated[str | None, typer.Option("--token", help="The token of an admin.")] = None,
    only: Annotated[str, typer.Option("--only", metavar="TEXT", help="Ask by the routes with this in them alone.")] = "",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """See that nobody is told of another's things, by any route.

    Throw-away users make one thing of each kind, and others ask for it: of the same tenant, of
    another, and without a credential. What is not theirs must be answered as what is not there.
    Afterwards the users and all that they had are gone. Ends with 1 where something is told.
    """
    import anyio

    from perdure.app.client import address_of
    from perdure.app.selftest.trial import try_isolation
    from perdure.app.settings import read_settings

    settings = read_settings(url=url or ctx.obj.url, token=token or ctx.obj.token)
    meant, shown = address_of(settings)
    report = anyio.run(lambda: try_isolation(meant, shown, only=only))
    show(report.told(), as_json, page)
    if not report.well or report.left_behind:
        raise typer.Exit(FAILED)


def page(told: dict[str, Any]) -> "Text":
    """A line for each route, what was found, and what it comes to."""
    from rich.text import Text

    from perdure.app.render import safe

    text, bad = Text(), {it["route"] for it in told["findings"]}
    for route in sorted({*told["compared"], *bad}):
        text.append(f"{'told' if route in bad else 'ok':<6}", style="red" if route in bad else "green")  # fmt: skip
        text.append(f"{told['compared'].get(route, 0):>4}  {safe(route)}\n")
    for it in told["findings"]:
        text.append(safe(f"\n{it['route']}\n  {it['who']}: {it['what']}\n"), style="red")
    for name in ("left_out", "left_behind"):
        for line in told[name]:
            text.append(f"{name.replace('_', ' ')}: {safe(line)}\n", style="yellow")
    verdict = f"{len(told['findings'])} findings" if bad else "Nobody is told of another's things"
    text.append(f"{verdict}: {told['pairs']} pairs of answers of {len(told['compared'])} routes, {told['views']} views.")  # fmt: skip
    return text
