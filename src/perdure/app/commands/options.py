"""What commands have in common: which gateway they speak to, how they print, how they end."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from perdure.app.commands import completion
from perdure.app.failures import INTERRUPTED

if TYPE_CHECKING:
    from perdure.app.client import Gateway
    from perdure.app.render import Screen

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.", autocompletion=completion.runs)]  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What was said before the command: the gateway and the token to use."""

    url: str | None = None
    token: str | None = None


def talk(ctx: typer.Context, work: Callable[["Gateway"], Awaitable[T]]) -> T:
    """Do `work` with the gateway that is meant. Ctrl-C ends it, and the run goes on without us."""
    import anyio

    from perdure.app.client import Gateway, address_of
    from perdure.app.settings import read_settings

    url, token = address_of(read_settings(url=ctx.obj.url, token=ctx.obj.token))

    async def main() -> T:
        async with Gateway(url, token) as gateway:
            return await work(gateway)

    try:
        return anyio.run(main)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def screen(*, one: bool = False) -> "Screen":
    """The terminal: what happens goes to standard error and results to standard output, or all to `one`."""
    from perdure.app.render import Screen, console

    out = console()
    return Screen(out if one else console(stderr=True), out)


def show(value: Any, as_json: bool, text: Callable[[Any], Any]) -> None:
    """Print a result: as it is for a program, else as `text` makes it."""
    on = screen()
    if as_json:
        on.json(value)
    else:
        on.show(text(value))


def at_a_terminal() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()
