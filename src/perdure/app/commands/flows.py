"""Commands about flows that are being drawn: which there are, what keeps one from being run, and its publishing."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.app.commands.options import AsJson, show, talk

if TYPE_CHECKING:
    from rich.text import Text

app = typer.Typer(no_args_is_help=True, help="List, check and publish flows that are being drawn.", rich_markup_mode=None)  # fmt: skip
Flow = Annotated[str, typer.Argument(metavar="FLOW", help="The id of a flow.")]


@app.command("list")
def list_flows(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the flows that are being drawn, the one changed last first."""
    show(talk(ctx, lambda gateway: gateway.get("/visualflows")), as_json, flows_table)


def flows_table(items: list[Any]) -> "Text":
    """A row for each flow."""
    from perdure.app.render import table

    rows = ((it["id"], it["name"], str(len(it["nodes"])), it["updated_at"]) for it in items)
    return table(("flow", "name", "nodes", "changed"), rows)


@app.command()
def check(ctx: typer.Context, flow: Flow, as_json: AsJson = False) -> None:
    """Say what keeps a flow from being run. Exit 1 where something does."""
    answer = talk(ctx, lambda gateway: gateway.get(f"{_path(flow)}/check"))
    show(answer, as_json, problems_page)
    if not answer["ok"]:
        raise typer.Exit(1)


def problems_page(answer: Any) -> str:
    """A line for each problem."""
    if answer["ok"]:
        return "It can be run."
    return "\n".join(_line(it) for it in answer["problems"])


def _line(problem: Any) -> str:
    place = [("flow", "flow_id"), ("node", "node_id"), ("pin", "pin"), ("edge", "edge_id")]
    named = ", ".join(f"{word} {problem[name]}" for word, name in place if problem[name])
    return f"{problem['code']} ({named}): {problem['detail']}"


@app.command()
def publish(
    ctx: typer.Context,
    flow: Flow,
    bundle: Annotated[str | None, typer.Option("--bundle", help="The bundle's id; without it, the flow's name.")] = None,
    version: Annotated[str | None, typer.Option("--version", help="The version; without it, the next one.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a bundle of a flow and of all that it runs. A published version never changes."""
    told = {"bundle_id": bundle, "bundle_version": version}
    body = {name: value for name, value in told.items() if value is not None}
    answer = talk(ctx, lambda gateway: gateway.post(f"{_path(flow)}/publish", body))
    show(answer, as_json, lambda it: f"Published {it['bundle_ref']} (sha256 {it['sha256']}).")


def _path(flow: str) -> str:
    from perdure.app.client import quoted

    return f"/visualflows/{quoted(flow)}"
