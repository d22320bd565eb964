"""Commands that keep running: the gateway, a runner alone, and the first steps of a newcomer."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from perdure.app.commands.options import screen
from perdure.app.failures import lines_of, program
from perdure.errors import GatewayError, Invalid, Unavailable

if TYPE_CHECKING:
    from perdure.app.client import Gateway
    from perdure.app.render import Screen
    from perdure.app.settings import Settings
    from perdure.app.watch import Ending

PROMPT: Final = "What is the capital of France? Answer in one sentence."
KEPT_SHOWN: Final = 5  # of the runs that earlier starts left
KEPT_COUNTED: Final = 1_000
ONE_PLACE: Final = (
    "On SQLite one process holds the data, so it has to be the API and the runner. "
    "Set PERDURE_DATABASE_URL to a Postgres to have them apart."
)

Host = Annotated[str | None, typer.Option("--host", help="The address to listen on.")]
Port = Annotated[int | None, typer.Option("--port", help="The port to listen on; 0 takes a free one.")]  # fmt: skip
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where everything is kept.")]


def serve(
    host: Host = None, port: Port = None, data_dir: DataDir = None,
    no_runner: Annotated[bool, typer.Option("--no-runner", help="The API alone; needs Postgres.")] = False,
) -> None:  # fmt: skip
    """Run the gateway: the API, and the runner beside it. Ctrl-C stops it."""
    from perdure.app.settings import read_settings
    from perdure.app.token_files import token_path

    settings = read_settings(host=host, port=port, data_dir=data_dir)
    if no_runner and settings.database_url is None:
        raise Invalid(ONE_PLACE)
    check_port(settings)
    from perdure.app.processes import serve as serve_until_stopped

    on = screen(one=True)

    def ready(url: str) -> None:
        on.say(f"Perdure serves at {url}")
        if settings.auth_token is None:
            on.say(f"The token is in {token_path(settings)}", "dim")

    def made(token: str) -> None:
        on.say("The first admin is default/admin. Their token is shown this once:", "bold")
        on.say(token)

    serve_until_stopped(settings, with_runner=not no_runner, on_ready=ready, on_first_token=made)
    on.say("Stopped.")


def runner(data_dir: DataDir = None) -> None:
    """Run a runner alone, beside gateways that share its Postgres. Ctrl-C stops it."""
    from perdure.app.settings import read_settings

    settings = read_settings(data_dir=data_dir)
    if settings.database_url is None:
        raise Invalid(ONE_PLACE)
    from perdure.app.processes import run_runner

    run_runner(settings)


def quickstart(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What to ask the agent.")] = PROMPT,
    install_model: Annotated[bool, typer.Option("--install-model", help="Fetch the built-in model first, where it is not here.")] = False,
    host: Host = None, port: Port = None, data_dir: DataDir = None,
) -> None:  # fmt: skip
    """Run the gateway, and an agent on it to look at.

    Starts one run of `basic-agent`, shows it, says what to try next, and goes on serving until
    Ctrl-C. Earlier runs are kept.
    """
    from perdure.app.settings import read_settings, source_of
    from perdure.app.token_files import token_of

    # The run has the terminal to itself, unless more was asked for.
    level = "warning" if source_of("log_level", {}) == "default" else None
    settings = read_settings(host=host, port=port, data_dir=data_dir, log_level=level)
    check_port(settings)
    if install_model:
        have_model(settings)
    from perdure.app.processes import serve_while

    on = screen(one=True)

    async def main(url: str) -> None:
        token = token_of(
            settings
        ).get_secret_value()  # in user mode the first start has just made it
        await tour(url, settings=settings, token=token, prompt=prompt, on=on)

    serve_while(settings, main)
    on.say(f"\nStopped. Every run is kept in {settings.data_dir}.")


def have_model(settings: "Settings") -> None:
    """Fetch the built-in model, unless it is there and was not touched since it was. Raises `Unavailable`."""
    from perdure.app.commands.models import fetched
    from perdure.app.settings import models_folder
    from perdure.features.models.embedded.install import model_at_hand

    if model_at_hand(models_folder(settings)) is None:
        fetched(settings)


async def tour(url: str, *, settings: "Settings", token: str, prompt: str, on: "Screen") -> None:
    """Show a newcomer one run on the gateway at `url`, and what to try next."""
    from perdure.app.client import Gateway

    on.say(f"Perdure serves at {url}", "bold")
    kept: list[Any] = []
    ending = None
    async with Gateway(url, token) as gateway:
        try:
            kept = await gateway.runs(KEPT_COUNTED, root_only=True)
            tell_kept(on, kept)
            ending = await _first_run(gateway, prompt, on)
        except GatewayError as error:
            for line in lines_of(error, program()):
                on.say(line, "red")
        tell_next(on, url, token, ending, elsewhere=_is_elsewhere(settings))
        await _tell_resumed(gateway, kept, on)


async def _first_run(gateway: "Gateway", prompt: str, on: "Screen") -> "Ending":
    from perdure.app.commands.starting import tell
    from perdure.app.watch import Watch

    on.say(f"\nbasic-agent is asked: {prompt}", "bold")
    run_id = await gateway.start({"bundle_id": "basic-agent", "input_data": {"prompt": prompt}})
    ending = await Watch(gateway, on).until_end(run_id)
    on.say("\nAnswer", "bold")
    tell(on, ending)
    return ending


def tell_kept(on: "Screen", kept: list[Any]) -> None:
    """Say how many earlier runs are there, and show the latest."""
    from perdure.app.commands.runs import runs_table

    if not kept:
        return
    many = f"{len(kept)} or more" if len(kept) == KEPT_COUNTED else str(len(kept))
    on.say(f"\n{many} earlier {'run is' if len(kept) == 1 else 'runs are'} kept; the latest:")
    on.show(runs_table(kept[:KEPT_SHOWN]))


async def _tell_resumed(gateway: "Gateway", kept: list[Any], on: "Screen") -> None:
    """Say of each run that the last stop found under way how it ends, once it does."""
    import anyio

    async with anyio.create_task_group() as watching:
        for run in [it for it in kept if _is_under_way(it)][:KEPT_SHOWN]:
            watching.start_soon(_tell_end, gateway, run["run_id"], on)


async def _tell_end(gateway: "Gateway", run_id: str, on: "Screen") -> None:
    from contextlib import aclosing

    from perdure.app.stream import follow

    try:
        async with aclosing(follow(gateway, run_id)) as steps:
            async for _ in steps:
                pass
        status = (await gateway.run(run_id))["status"]
        on.say(f"Run {run_id}, which was under way at the last stop, is {status}.")
    except GatewayError as error:
        on.say(f"Run {run_id} cannot be followed: {error.detail}", "red")


def _is_under_way(run: Any) -> bool:
    """Whether a run does something, itself or by its child, rather than wait for time or people."""
    blocked = run["blocked_on"] or {}
    return run["status"] == "running" or blocked.get("type") in ("child", "effect", "runner")


def tell_next(
    on: "Screen", url: str, token: str, ending: "Ending | None", *, elsewhere: bool
) -> None:
    """Say where the gateway is, and what to type next."""
    me = f"{program()} --url {url} --token {token}" if elsewhere else program()
    on.say("\nTry next, in another terminal:", "bold")
    on.say(f"  {me} run ask-first")
    if ending is not None:
        on.say(f"  {me} ledger {ending.run['run_id']}")
    on.say(f"\nURL    {url}\nToken  {token}")
    on.say("It goes on serving. Ctrl-C stops it.", "bold")


def _is_elsewhere(settings: "Settings") -> bool:
    """Whether another terminal would not find this gateway by itself."""
    from perdure.app.settings import source_of

    said = {"data_dir", "port", "host", "auth_token", "auth_token_file"}
    return any(source_of(name, {}) != "default" for name in said) or settings.port == 0


def check_port(settings: "Settings") -> None:
    """Refuse a port that is taken, and say by whom. Raises `Unavailable`."""
    if settings.port == 0:
        return
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Unavailable(_taken(settings, error)) from error


def _taken(settings: "Settings", error: OSError) -> str:
    import errno

    here = f"{settings.host}:{settings.port}"
    if error.errno != errno.EADDRINUSE:
        return f"{here} cannot be listened on: {error.strerror}."
    return (
        f"{here} is taken: a gateway runs already, or another program has the port. "
        f"Another port: PERDURE_PORT={settings.port + 1}. What has it: {program()} doctor."
    )
