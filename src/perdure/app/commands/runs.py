"""Commands about runs that are there: list them, look at one, answer it, stop it."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from perdure.app.commands.options import AsJson, Run, show, talk
from perdure.app.failures import program
from perdure.errors import Conflict, Invalid, WaitMismatch

if TYPE_CHECKING:
    from rich.text import Text

    from perdure.app.client import Gateway

CHILDREN_DEPTH_MAX: Final = 16  # how far down a wait is looked for
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept with the run.")]


def runs(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many.")] = 20,
    status: Annotated[str | None, typer.Option("--status", help="Only `running`, `waiting`, `completed`, `failed` or `cancelled` ones.")] = None,
    session: Annotated[str | None, typer.Option("--session", metavar="ID", help="Only those of a session.")] = None,
    text: Annotated[str | None, typer.Option("--query", "-q", metavar="TEXT", help="Only those with this in id, flow, prompt or error.")] = None,
    children: Annotated[bool, typer.Option("--children", help="Also the runs that runs started.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """List runs, newest first; with a command, open the past of one."""
    if ctx.invoked_subcommand is not None:
        return
    query = {"status": status, "session_id": session, "q": text, "root_only": not children}
    rows = talk(ctx, lambda gateway: gateway.runs(limit, **query))
    show(rows, as_json, runs_table)


def runs_table(rows: list[Any]) -> "Text | str":
    """Runs as a table."""
    from perdure.app.render import one_line, table

    if not rows:
        return f"There are no runs. Start one: {program()} run basic-agent 'What is a durable run?'"
    cells = (
        (
            it["run_id"],
            it["workflow_id"],
            it["status"],
            it["created_at"][:19],
            one_line(_why(it), 60),
        )
        for it in rows
    )
    return table(("run", "flow", "status", "created (UTC)", ""), cells)


def _why(run: Any) -> str:
    blocked = run["blocked_on"] or {}
    return str(run["error"] or blocked.get("detail") or "")


def show_run(ctx: typer.Context, run: Run, as_json: AsJson = False) -> None:
    """Show how a run stands.

    Where it waits, show for what, and the commands that make it go on.
    """
    show(talk(ctx, lambda gateway: gateway.run(run)), as_json, summary)


def summary(run: Any) -> "Text":
    """A run as a page."""
    from perdure.app.render import answer_of, as_json, facts, warnings_of

    output = run["output"]
    answer = answer_of(output) or (as_json(output) if output is not None else "")
    blocked = run["blocked_on"] or {}
    tokens = f"{run['tokens_in']} in, {run['tokens_out']} out" if run["tokens_total"] else ""
    return facts(
        [
            ("run", run["run_id"]),
            ("flow", run["workflow_id"]),
            ("status", run["status"]),
            ("paused", run["pause_reason"] or "yes" if run["paused"] else ""),
            ("session", run["session_id"] if run["session_id"] != run["run_id"] else ""),
            ("parent", run["parent_run_id"] or ""),
            ("created", run["created_at"]),
            ("updated", run["updated_at"]),
            ("steps", str(run["ledger_len"])),
            ("tokens", tokens),
            ("error", run["error"] or ""),
            ("warning", "\n".join(warnings_of(run))),
            ("answer", answer),
            ("waits for", f"{blocked['detail']}\nsince {blocked['since']}" if blocked else ""),
            ("choices", "\n".join(_choices(run))),
            ("to go on", "\n".join(_ways(run["run_id"], blocked.get("unblock") or []))),
        ]
    )


def _choices(run: Any) -> list[str]:
    from perdure.app.answers import calls_of, choices_of

    wait = run["waiting"]
    if not wait:
        return []
    calls = [f"{name} {arguments}" for name, arguments in calls_of(wait)]
    return calls + [f"{number}  {it}" for number, it in enumerate(choices_of(wait), 1)]


def _ways(run_id: str, unblock: list[Any]) -> list[str]:
    return [f"{it['label']}: {_way(run_id, it)}" for it in unblock]


def _way(run_id: str, way: Any) -> str:
    """A way to make a run go on, as a command of this program where there is one."""
    payload = (way.get("body") or {}).get("payload") or {}
    match way["verb"]:
        case "resume" if "wait_key" in payload:
            return f"{program()} answer {run_id}"
        case "resume" | "cancel" | "pause":
            return f"{program()} {way['verb']} {run_id}"
        case "look":
            return f"{program()} show {way['path'].rpartition('/')[2]}"
        case _:
            body = json.dumps(way["body"]) if way.get("body") else ""
            return f"{way['method']} {way['path']} {body}".rstrip()


def answer(
    ctx: typer.Context,
    run: Run,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="The answer; with --deny the reason.")] = None,
    choice: Annotated[str | None, typer.Option("--choice", "-c", help="One of the choices, by its number or its text.")] = None,
    approved: Annotated[bool | None, typer.Option("--approve/--deny", help="Let the tool calls run, or not.")] = None,
    payload_json: Annotated[str | None, typer.Option("--payload-json", metavar="JSON", help="The whole payload, as the API takes it.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Answer a run that waits, so that it goes on. Without an answer it asks, at a terminal.

    Where the run waits for a child that waits for a person, the child gets the answer.
    """
    from perdure.app.answers import Said

    payload = None if payload_json is None else _json(payload_json)
    said = Said(text, choice, approved, payload)
    delivery = talk(ctx, lambda gateway: _answer(gateway, run, said))
    tell(delivery, as_json, f"Answered. Follow it: {program()} ledger {run} --follow")


async def _answer(gateway: "Gateway", run_id: str, said: Any) -> Any:
    from perdure.app.answers import payload_of

    run = await waiting_run(gateway, run_id)
    wait = run["waiting"]
    payload = await _asked(run, wait) if said == type(said)() else payload_of(wait, said)
    sent = {"wait_key": wait["wait_key"], "payload": payload}
    return await gateway.command(run["run_id"], "resume", sent)


async def waiting_run(gateway: "Gateway", run_id: str) -> Any:
    """The run that waits for an answer: this one, or the child that it waits for, however deep."""
    from perdure.app.answers import child_of

    for _ in range(CHILDREN_DEPTH_MAX):
        run = await gateway.run(run_id)
        wait = run["waiting"]
        if not wait:
            raise WaitMismatch(f"Run {run_id} waits for no answer: it is {run['status']}.")
        child = child_of(wait)
        if child is None:
            return run
        run_id = child
    raise WaitMismatch("The wait lies too deep.")


async def _asked(run: Any, wait: Any) -> Any:
    from perdure.app.asking import ask
    from perdure.app.commands.options import at_a_terminal, screen

    on = screen()
    payload = await ask(on, run, wait) if at_a_terminal() else None
    if payload is None:
        on.say(summary(run))
        raise Invalid("There is no answer in the command: give a TEXT or an option.")
    return payload


def cancel(ctx: typer.Context, run: Run, reason: Reason = "", as_json: AsJson = False) -> None:
    """End a run and everything that it started. No further effect of it is begun."""
    _command(ctx, run, "cancel", {"reason": reason} if reason else {}, as_json)


def pause(ctx: typer.Context, run: Run, reason: Reason = "", as_json: AsJson = False) -> None:
    """Hold a run and everything that it started. What is under way is still recorded."""
    _command(ctx, run, "pause", {"reason": reason} if reason else {}, as_json)


def resume(ctx: typer.Context, run: Run, as_json: AsJson = False) -> None:
    """Let a paused run go on."""
    _command(ctx, run, "resume", {}, as_json)


def _command(ctx: typer.Context, run: str, kind: str, payload: Any, as_json: bool) -> None:
    delivery = talk(ctx, lambda gateway: gateway.command(run, kind, payload))
    done = {"cancel": "Cancelled.", "pause": "Paused.", "resume": "It goes on."}
    tell(delivery, as_json, done[kind])


def tell(delivery: Any, as_json: bool, done: str) -> None:
    """Print what became of a command. Raises `Conflict` where it came too late."""
    state = delivery["state"]
    show(delivery, as_json, lambda it: done if state == "applied" else "Taken in; not applied yet.")
    if state in ("ignored", "dead"):
        raise Conflict(f"It changed nothing: {delivery['detail'] or state}.")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Invalid(f"--payload-json is no JSON: {error}") from error
