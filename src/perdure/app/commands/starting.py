"""`perdure run`: start a flow, show what it does, and end as it ends."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.app.commands import completion
from perdure.app.commands.options import AsJson, at_a_terminal, screen, talk
from perdure.app.failures import FAILED, INTERRUPTED, WAITS, program
from perdure.errors import Invalid

if TYPE_CHECKING:
    from perdure.app.client import Gateway
    from perdure.app.render import Screen
    from perdure.app.watch import Ending

Flow = Annotated[str, typer.Argument(
    metavar="FLOW", help="A bundle, or one of its flows: `bundle`, `bundle@version`, `bundle:flow`.",
    autocompletion=completion.bundles,
)]  # fmt: skip
Prompt = Annotated[str | None, typer.Argument(metavar="PROMPT", help="The input `prompt`.")]
Input = Annotated[list[str] | None, typer.Option(
    "--input", "-i", metavar="NAME=VALUE", help="An input; a value that is JSON is taken as such.",
)]  # fmt: skip
InputJson = Annotated[str | None, typer.Option(
    "--input-json", metavar="JSON", help="All inputs as an object; `@FILE` reads a file, `-` standard input.",
)]  # fmt: skip
Session = Annotated[str | None, typer.Option("--session", metavar="ID", help="The session that it belongs to.")]  # fmt: skip
Timeout = Annotated[float | None, typer.Option(
    "--timeout", metavar="SECONDS", help="End the run, and all below it, when it has not ended by itself by then.",
)]  # fmt: skip
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Print the run's id and do not wait for it.")]  # fmt: skip


def run(
    ctx: typer.Context, flow: Flow, prompt: Prompt = None, given: Input = None, given_json: InputJson = None,
    session: Session = None, timeout: Timeout = None, detach: Detach = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Start a run and show its steps and tokens until it ends.

    The answer goes to standard output, what happens to standard error. Where the run waits for a
    person, it asks at a terminal, and elsewhere says how to answer and ends with 3. Ctrl-C leaves
    the run to itself.
    """
    body = body_of(flow, inputs_of(prompt, given or [], given_json), session)
    if timeout is not None:
        body["timeout_s"] = timeout
    started: list[str] = []
    try:
        ending = talk(
            ctx, partial(_run, body=body, detach=detach, as_json=as_json, started=started)
        )
    except typer.Exit as ended:
        if ended.exit_code == INTERRUPTED and started:
            typer.echo(f"\nThe run goes on: {program()} ledger {started[0]} --follow", err=True)
        raise
    if ending is not None:
        raise typer.Exit(code_of(ending))


async def _run(
    gateway: "Gateway", body: Any, *, detach: bool, as_json: bool, started: list[str]
) -> "Ending | None":
    from perdure.app.asking import ask
    from perdure.app.render import Screen, console
    from perdure.app.watch import Watch

    run_id = await gateway.start(body)
    started.append(run_id)
    on = screen()
    if detach:
        if as_json:
            on.json({"run_id": run_id})
        else:
            on.show(run_id)
        return None
    shown = on
    if as_json:
        import io

        shown = Screen(console(file=io.StringIO()), on.out)
    else:
        on.say(f"run {run_id}", "dim")
    asker = partial(ask, on) if at_a_terminal() and not as_json else None
    ending = await Watch(gateway, shown, asker).until_end(run_id)
    if as_json:
        on.json(ending.run)
    else:
        tell(on, ending)
    return ending


def tell(on: "Screen", ending: "Ending") -> None:
    """Print what a run came to: its answer, or why it does not go on; and its warnings."""
    from perdure.app.render import answer_of, as_json, warnings_of

    run = ending.run
    if ending.waits is not None:
        waits = ending.waits
        on.say(f"The run waits: {waits['blocked_on']['detail']}", "yellow")
        on.say(f"Answer with: {program()} answer {waits['run_id']}")
    elif run["status"] == "completed":
        answer = answer_of(run["output"])
        on.show(as_json(run["output"]) if answer is None else answer)
    else:
        on.say(f"The run is {run['status']}: {run['error'] or 'it does not say why'}", "red")
    for warning in warnings_of(run):
        on.say(warning, "yellow")


def code_of(ending: "Ending") -> int:
    """What the shell is told of a run that was watched."""
    if ending.waits is not None:
        return WAITS
    return 0 if ending.run["status"] == "completed" else FAILED


def body_of(flow: str, inputs: dict[str, Any], session: str | None) -> dict[str, Any]:
    """What `runs/start` takes for a flow as it is named here."""
    named = {"flow_id": flow} if ":" in flow else {"bundle_id": flow}
    return named | {"input_data": inputs} | ({"session_id": session} if session else {})


def inputs_of(prompt: str | None, pairs: list[str], text: str | None) -> dict[str, Any]:
    """The inputs from all three ways to give them; a name given twice is refused."""
    inputs = _object(text) if text is not None else {}
    named = [_pair(pair) for pair in pairs] + ([("prompt", prompt)] if prompt is not None else [])
    for name, value in named:
        if name in inputs:
            raise Invalid(f"The input {name} is given twice.")
        inputs[name] = value
    return inputs


def _pair(pair: str) -> tuple[str, Any]:
    name, equals, value = pair.partition("=")
    if not (name and equals):
        raise Invalid(f"--input takes NAME=VALUE, not {pair!r}.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _object(text: str) -> dict[str, Any]:
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text()
        value = json.loads(text)
    except OSError as error:
        raise Invalid(f"--input-json: {text[1:]} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise Invalid(f"--input-json is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise Invalid("--input-json takes an object: names and values.")
    return value
