"""Commands about schedules: what is planned, what became of it, and what people may do about it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.app.commands.options import AsJson, show, talk
from perdure.app.commands.runs import Reason, tell
from perdure.app.failures import program

if TYPE_CHECKING:
    from rich.text import Text

app = typer.Typer(no_args_is_help=True, help="List, show, preview, pause, trigger and backfill schedules.", rich_markup_mode=None)  # fmt: skip

Schedule = Annotated[str, typer.Argument(metavar="SCHEDULE", help="The id of a schedule: that of its run.")]  # fmt: skip
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="How many.")]


@app.command("list")
def list_schedules(ctx: typer.Context, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List schedules, newest first."""
    answer = talk(ctx, lambda gateway: gateway.get("/schedules", limit=limit))
    show(answer["items"], as_json, schedules_table)


def schedules_table(rows: list[Any]) -> "Text | str":
    """Schedules as a table."""
    from perdure.app.render import table

    if not rows:
        return "There are no schedules."
    cells = (
        (
            it["run_id"],
            it["schedule"]["target_workflow_id"],
            plan_of(it["schedule"]),
            "paused" if it["paused"] else it["status"],
            (it["next_run_at"] or "")[:19],
        )
        for it in rows
    )
    return table(("schedule", "flow", "plan", "status", "next (UTC)"), cells)


def plan_of(terms: Any) -> str:
    """When a schedule runs, in a few words."""
    if terms["cron"]:
        return f"{terms['cron']} {terms['timezone']}"
    if not terms["interval"]:
        return "once"
    times = f", {terms['repeat_count']} times" if terms["repeat_count"] else ""
    return f"every {terms['interval']}{times}"


@app.command("show")
def show_schedule(
    ctx: typer.Context, schedule: Schedule, limit: Limit = 10, as_json: AsJson = False
) -> None:
    """Show a schedule, and what became of its last planned times."""
    row = talk(ctx, lambda gateway: gateway.get(f"/schedules/{schedule}"))
    told = talk(ctx, lambda gateway: gateway.get(f"/schedules/{schedule}/occurrences", limit=limit))
    show({**row, "occurrences": told["items"]}, as_json, page)


def page(row: Any) -> "Text":
    """A schedule as a page."""
    from perdure.app.render import facts

    terms, counts = row["schedule"], ("started", "skipped", "failed")
    return facts(
        [
            ("schedule", row["run_id"]),
            ("flow", terms["target_workflow_id"]),
            ("plan", plan_of(terms)),
            ("overlap", terms["overlap"]),
            ("status", row["status"]),
            ("paused", row["pause_reason"] or "yes" if row["paused"] else ""),
            ("next", row["next_run_at"] or ""),
            ("so far", ", ".join(f"{row[name]} {name}" for name in counts)),
            ("error", row["error"] or ""),
            ("last", "\n".join(_told(it) for it in row["occurrences"])),
        ]
    )


def _told(it: Any) -> str:
    """What became of a planned time, in a line."""
    words = [it["planned_at"][:19], it["outcome"], it["why"] or it["status"] or ""]
    if it["count"] > 1:
        words.append(f"({it['count']} times, until {it['planned_until'][:19]})")
    return "  ".join(word for word in words if word)


@app.command()
def preview(
    ctx: typer.Context,
    schedule: Schedule,
    limit: Limit = 10,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Begin of a window, as a backfill would run it.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="End of the window.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show the next planned times, or those of a window."""
    query = {"limit": limit, "from": start, "to": end}
    answer = talk(ctx, lambda gateway: gateway.get(f"/schedules/{schedule}/preview", **query))
    show(answer["items"], as_json, _times)


def _times(rows: list[Any]) -> str:
    return "\n".join(it["planned_at"] for it in rows) or "Nothing is planned."


@app.command()
def pause(
    ctx: typer.Context, schedule: Schedule, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Hold a schedule and what it runs. What is planned meanwhile is skipped, and told so."""
    _command(ctx, schedule, "pause", {"reason": reason} if reason else {}, as_json)


@app.command()
def resume(ctx: typer.Context, schedule: Schedule, as_json: AsJson = False) -> None:
    """Let a paused schedule go on."""
    _command(ctx, schedule, "resume", {}, as_json)


@app.command()
def trigger(ctx: typer.Context, schedule: Schedule, as_json: AsJson = False) -> None:
    """Run it now, beside what is planned."""
    _command(ctx, schedule, "trigger_schedule", {}, as_json)


@app.command()
def backfill(
    ctx: typer.Context,
    schedule: Schedule,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="Begin of the window.")],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="End of the window.")],
    as_json: AsJson = False,
) -> None:
    """Make up for the planned times of a window that has passed. `preview` shows which they are."""
    _command(ctx, schedule, "backfill_schedule", {"from": start, "to": end}, as_json)


def _command(ctx: typer.Context, schedule: str, kind: str, payload: Any, as_json: bool) -> None:
    delivery = talk(ctx, lambda gateway: gateway.command(schedule, kind, payload))
    runs = f"It runs. See: {program()} schedules show {schedule}"
    done = {
        "pause": "Paused.",
        "resume": "It goes on.",
        "trigger_schedule": runs,
        "backfill_schedule": runs,
    }
    tell(delivery, as_json, done[kind])
