"""Commands about models: fetch the small one that needs no key, and say which one answers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.app.commands.options import AsJson, screen, show

if TYPE_CHECKING:
    from rich.text import Text

    from perdure.app.render import Screen
    from perdure.app.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Fetch the built-in model; say which model answers.", rich_markup_mode=None)  # fmt: skip
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where everything is kept.")]


@app.command()
def install(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Fetch the built-in model, about 95 MB, once. What is there and sound is left as it is.

    It may be stopped at any time; the next call goes on.
    """
    from perdure.app.settings import read_settings
    from perdure.features.models.embedded.install import MODEL

    path = fetched(read_settings(data_dir=data_dir))
    facts = {"model": MODEL, "path": str(path), "bytes": path.stat().st_size}
    show(facts, as_json, lambda it: f"The model {MODEL} is in {path}")


def fetched(settings: "Settings") -> Path:
    """The built-in model's file, fetched where it is not there. Raises `Unavailable`."""
    from perdure.app.settings import make_data_folder, models_folder
    from perdure.features.models.embedded.install import install as fetch

    make_data_folder(settings)
    with Bar(screen()) as bar:
        return fetch(models_folder(settings), progress=bar.told)


class Bar:
    """Progress on standard error, where that is a terminal; a line for each stage elsewhere."""

    def __init__(self, on: "Screen") -> None:
        """Show nothing yet."""
        self._screen = on
        self._stage = ""
        self._task: Any = None
        self._bar: Any = None

    def __enter__(self) -> "Bar":
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        if self._screen.live.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
            self._bar = Progress(*columns, console=self._screen.live, transient=True)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def told(self, doing: str, done: int, total: int) -> None:
        """Show how far it is."""
        begins, self._stage = doing != self._stage, doing
        if self._bar is None:
            if begins and not doing.startswith("Checking"):
                self._screen.say(doing)
        elif begins:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(doing, total=total or None, completed=done)
        else:
            self._bar.update(self._task, total=total or None, completed=done)


@app.command("list")
def list_models(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show which model answers, and which providers are set up."""
    from perdure.app.settings import read_settings

    show(models_here(read_settings(data_dir=data_dir)), as_json, models_page)


def models_here(settings: "Settings") -> Any:
    """What this machine's settings say of models. No provider is asked."""
    from perdure.app.settings import models_folder, variables
    from perdure.features.models.embedded.install import MODEL, model_path
    from perdure.features.models.settings import OUTPUT_TEXT, read_config

    config = read_config(variables())
    path = model_path(models_folder(settings))
    built_in = f"embedded/{MODEL}" if settings.embedded_model else None
    return {
        OUTPUT_TEXT: config.routes.get(OUTPUT_TEXT, built_in),
        "embedded": {
            "model": MODEL,
            "enabled": settings.embedded_model,
            "installed": path.is_file(),
            "path": str(path),
        },
        "providers": [
            {"name": it.name, "base_url": it.base_url, "api_key": "set" if it.api_key else "unset"}
            for it in config.providers.values()
        ],
    }


def models_page(here: Any) -> "Text":
    """The same as a page."""
    from perdure.app.failures import program
    from perdure.app.render import facts

    embedded = here["embedded"]
    state = "installed" if embedded["installed"] else f"not installed: {program()} models install"
    rows = [
        (
            "answers",
            here["output.text"] or "nothing: name a model with PERDURE_MODEL=provider/model",
        ),
        ("built in", f"{embedded['model']} ({state if embedded['enabled'] else 'switched off'})"),
    ]
    for it in here["providers"]:
        rows.append(("provider", f"{it['name']}  {it['base_url']}  key {it['api_key']}"))
    return facts(rows)
