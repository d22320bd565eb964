"""Commands that read ledgers: print one, follow it, check that it is what was written."""

import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.app.commands import completion
from perdure.app.commands.options import AsJson, Run, screen, show, talk
from perdure.app.failures import FAILED
from perdure.errors import Invalid

if TYPE_CHECKING:
    from rich.text import Text

    from perdure.app.client import Gateway
    from perdure.app.render import Screen

RUNS_MAX = 1_000_000


def ledger(
    ctx: typer.Context,
    run: Run,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends, with its tokens.")] = False,
    after: Annotated[int, typer.Option("--after", min=0, metavar="N", help="Leave out the first N steps.")] = 0,
    full: Annotated[bool, typer.Option("--full", help="Also what stands beside each step: writes, path, attempts.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Print a run's ledger, a line for each step. With --json each line is {"cursor", "record"}."""
    talk(ctx, lambda gateway: _Ledger(gateway, run, full=full, as_json=as_json).show(after, follow))


class _Ledger:
    """One ledger on its way to standard output."""

    def __init__(self, gateway: "Gateway", run_id: str, *, full: bool, as_json: bool) -> None:
        self._gateway = gateway
        self._run_id = run_id
        self._detail = "full" if full else None
        self._as_json = as_json
        self._screen: Screen = screen(one=True)

    async def show(self, after: int, follow: bool) -> None:
        """Print the pages, and then what comes."""
        while page := await self._page(after, 500):
            for record in page:
                after += 1
                self._line(after, record)
        if follow:
            await self._follow(after)

    async def _follow(self, after: int) -> None:
        from perdure.app import stream

        told_deltas = not self._as_json
        following = stream.follow(self._gateway, self._run_id, after=after, deltas=told_deltas)
        async with aclosing(following) as told:
            async for it in told:
                match it:
                    case stream.Step(cursor, record):
                        if self._detail:
                            record = (await self._page(cursor - 1, 1))[0]
                        self._line(cursor, record)
                    case stream.Delta():
                        self._screen.delta(it)
                    case stream.Cut(why, _):
                        typer.echo(f"The stream was cut ({why}).", err=True)

    async def _page(self, after: int, limit: int) -> list[Any]:
        from perdure.app.client import quoted

        path = f"/runs/{quoted(self._run_id)}/ledger"
        page = await self._gateway.get(path, after=after, limit=limit, detail=self._detail)
        return list(page["items"])

    def _line(self, cursor: int, record: Any) -> None:
        if self._as_json:
            line = {"cursor": cursor, "record": record}
            typer.echo(json.dumps(line, ensure_ascii=False, separators=(",", ":")))
            return
        self._screen.record(cursor, record)
        for name, value in (record.get("detail") or {}).items():
            said = json.dumps(value, ensure_ascii=False)
            self._screen.say(f"{'':7}{name}: {said}", "dim")


def verify(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="The id of a run.", autocompletion=completion.runs)] = None,
    every: Annotated[bool, typer.Option("--all", help="Every run.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Check that ledgers are what was written.

    Every step is hashed again. The first one that is not as written is named, and ends it with 1.
    """
    if (run is None) != every:
        raise Invalid("Name a run, or say --all.")
    verdicts = talk(ctx, lambda gateway: _verdicts(gateway, run))
    show(verdicts if every else verdicts[0], as_json, lambda _: verdicts_table(verdicts))
    if any(not it["ok"] for it in verdicts):
        raise typer.Exit(FAILED)


async def _verdicts(gateway: "Gateway", run: str | None) -> list[Any]:
    from perdure.app.client import quoted

    run_ids = [run] if run else [it["run_id"] for it in await gateway.runs(RUNS_MAX, include_drafts=True)]  # fmt: skip
    return [await gateway.get(f"/runs/{quoted(run_id)}/verify") for run_id in run_ids]


def verdicts_table(verdicts: list[Any]) -> "Text | str":
    """What is broken, a line for each; or that nothing is."""
    from perdure.app.render import table

    broken = [it for it in verdicts if not it["ok"]]
    if broken:
        rows = ((it["run_id"], str(it["bad_seq"]), it["why"] or "") for it in broken)
        return table(("run", "first bad step", "why"), rows)
    steps = sum(it["records"] for it in verdicts)
    return f"{len(verdicts)} {'ledger is' if len(verdicts) == 1 else 'ledgers are'} as written, {steps} steps."
