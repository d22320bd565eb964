"""`perdure runs`: list runs, and open their past: fork, replay, diff, export, import."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from perdure.app.commands import runs
from perdure.app.commands.options import AsJson, Run, show, talk
from perdure.app.failures import program
from perdure.errors import Conflict, Invalid

app = typer.Typer(invoke_without_command=True, callback=runs.runs)

Seq = Annotated[int | None, typer.Option("--at", metavar="SEQ", help="The record; where the run stands now without.")]  # fmt: skip
Edit = Annotated[list[str] | None, typer.Option("--set", metavar="CELL=JSON", help="A cell of the fork, such as `in/prompt=\"Hi\"`; as often as needed.")]  # fmt: skip


@app.command()
def fork(
    ctx: typer.Context,
    run: Run,
    at: Seq = None,
    edits: Edit = None,
    effects: Annotated[str, typer.Option("--effects", help="`ask`, `reuse`, `simulate` or `rerun`.")] = "ask",
    version: Annotated[str | None, typer.Option("--bundle-version", help="Go on with this version of the bundle.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Go on from a record of a run in a fork. What must not happen twice waits for you."""
    body = {
        "from_seq": at, "edits": dict(map(_edit, edits or ())), "effects": effects,
        "bundle_version": version,
    }  # fmt: skip
    forked = talk(ctx, lambda gateway: gateway.post(f"/runs/{run}/fork", body))
    show(forked, as_json, _forked)


def _edit(text: str) -> tuple[str, Any]:
    cell, found, value = text.partition("=")
    if not found:
        raise Invalid(f"--set is CELL=JSON, not {text!r}.")
    try:
        return cell, json.loads(value)
    except ValueError as error:
        raise Invalid(f"--set {cell} is no JSON: {error}") from error


def _forked(forked: Any) -> str:
    run, seq = forked["run_id"], forked["forked_from"]["seq"]
    return f"{run} goes on from record {seq}. Follow it: {program()} ledger {run} --follow"


@app.command()
def replay(ctx: typer.Context, run: Run, as_json: AsJson = False) -> None:
    """Decide a ledger again from what it recorded. Ends with an error where it comes out otherwise."""
    told = talk(ctx, lambda gateway: gateway.post(f"/runs/{run}/replay", None))
    show(told, as_json, _replayed)
    if told["result"] != "identical":
        raise Conflict(f"Run {run} diverges at record {told['difference']['seq']}.")


def _replayed(told: Any) -> str:
    found = told["difference"]
    if found is None:
        return f"{told['run_id']}: identical, {told['records']} records"
    was, now = json.dumps(found["recorded"]), json.dumps(found["decided"])
    return f"{told['run_id']}: record {found['seq']} differs in {found['part']}\n  was {was}\n  now {now}"


@app.command()
def diff(
    ctx: typer.Context,
    run: Run,
    before: Annotated[int, typer.Argument(metavar="FROM", help="After this record.")],
    after: Annotated[int | None, typer.Argument(metavar="TO", help="And after this one; the last without.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say which cells of a run changed between two of its records."""
    query = {"from": before, "to": after}
    told = talk(ctx, lambda gateway: gateway.get(f"/runs/{run}/diff", **query))
    show(told, as_json, _changes)


def _changes(told: Any) -> str:
    marks = {"added": "+", "removed": "-", "changed": "~"}
    lines = [f"{marks[one['change']]} {one['cell']}: {_values(one)}" for one in told["cells"]]
    if told["left_out"]:
        lines.append(f"and {told['left_out']} more")
    return "\n".join(lines) or "Nothing changed."


def _values(one: Any) -> str:
    before, after = json.dumps(one["before"]), json.dumps(one["after"])
    return {"added": after, "removed": before}.get(one["change"], f"{before} -> {after}")


@app.command("export")
def export_run(
    ctx: typer.Context,
    run: Run,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Where to; `run-<id>.zip` without.")] = None,
) -> None:  # fmt: skip
    """Write a run and all below it to a file. Another instance verifies and replays it."""
    to = file or Path(f"run-{run}.zip")
    if to.exists():
        raise Invalid(f"{to} is there already; name another file.")
    part = to.with_name(f"{to.name}.part")
    try:
        with part.open("wb") as opened:
            size = talk(ctx, lambda gateway: gateway.fetch(f"/runs/{run}/export", opened))
        part.replace(to)
    except OSError as error:
        raise Invalid(f"{to} cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    typer.echo(f"{to}: {size} bytes")


@app.command("import")
def import_run(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `export` wrote.", exists=True, dir_okay=False)],
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take in a run from a file. A byte that is not as it was written is named, and nothing is kept."""
    with file.open("rb") as opened:
        told = talk(ctx, lambda gateway: gateway.hand_in("/runs/import", file.name, opened))
    show(told, as_json, lambda it: "\n".join(map(_replayed, it["runs"])))
