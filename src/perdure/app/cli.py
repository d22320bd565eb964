"""The command line. Every command that needs a gateway speaks its HTTP API, as any other client does."""

import gc
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from perdure.app.commands import (
    artifacts,
    audit,
    bundles,
    doctor,
    flows,
    ledger,
    models,
    openapi,
    runs,
    runtimes,
    schedules,
    selftest,
    serving,
    settings,
    starting,
    travel,
    users,
)
from perdure.app.commands.options import Asked
from perdure.app.failures import EXIT_CODES, INTERRUPTED, exit_code, lines_of, program
from perdure.errors import GatewayError

_CODES = "\n".join(f"{code:>5}  {meaning}" for code, meaning in EXIT_CODES.items())
# A start makes many objects that stay: looking through them time and again is a fifth of it.
COLLECTED = (50_000, 20, 50)
EPILOG = f"""\b
Exit codes:
{_CODES}"""

app = typer.Typer(
    name="perdure",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts in half the time
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from perdure import __version__

        typer.echo(f"perdure {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Option(help="The gateway; PERDURE_URL, else the one on this machine.")] = None,
    token: Annotated[str | None, typer.Option(help="Its token; PERDURE_TOKEN, else the one that this machine's gateway made.")] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:  # fmt: skip
    """Durable runs of agents and flows: a gateway, and the commands that speak to it."""
    ctx.obj = Asked(url, token)


def _add(*commands: Callable[..., None]) -> None:
    for command in commands:
        app.command()(command)


_add(serving.quickstart, serving.serve, serving.runner, starting.run)
app.add_typer(travel.app, name="runs")
app.command("show")(runs.show_run)
_add(ledger.ledger, runs.answer, runs.pause, runs.resume, runs.cancel, ledger.verify)
app.add_typer(bundles.app, name="bundles")
app.add_typer(flows.app, name="flows")
app.add_typer(artifacts.app, name="artifacts")
app.add_typer(schedules.app, name="schedules")
app.add_typer(models.app, name="models")
app.add_typer(users.app, name="users")
app.add_typer(runtimes.app, name="runtimes")
app.add_typer(audit.app, name="audit")
app.add_typer(selftest.app, name="selftest")
_add(settings.settings, doctor.doctor, openapi.openapi)


def _start_light() -> None:
    """Put off what a start need not do: look for garbage that is none yet, and prepare models that nobody reads."""
    from pydantic import BaseModel

    gc.set_threshold(*COLLECTED)
    BaseModel.model_config["defer_build"] = True  # FastAPI's own are for its document alone


def main(words: list[str] | None = None) -> None:
    """Run one command and end the process with its exit code."""
    _start_light()
    try:
        app(words, prog_name="perdure")
    except GatewayError as error:
        first, *more = lines_of(error, program())
        typer.echo("\n".join([f"error: {first}", *more]), err=True)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
