"""`perdure settings`: every setting with its value, where that comes from, its default and its meaning."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.app.commands.options import AsJson, screen, show

if TYPE_CHECKING:
    from rich.text import Text

    from perdure.app.settings import Settings


def settings(
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Where everything is kept.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Print all settings: value, source, default and meaning. Secrets print as `set` or `unset`."""
    from perdure.app.settings import read_settings, unknown_names

    given = {"data_dir": data_dir}
    show(rows_of(read_settings(**given), given), as_json, page)
    for name in unknown_names():
        screen().say(f"{name} is set in the environment and means nothing here.", "yellow")


def rows_of(current: "Settings", given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every setting, as it stands."""
    from perdure.app.settings import PREFIX, default_text, old_names, source_of, text_of

    rows = [
        {
            "name": PREFIX + name.upper(),
            "value": text_of(getattr(current, name)),
            "source": source_of(name, given),
            "default": default_text(name),
            "meaning": field.description,
            "aliases": old_names(name),
        }
        for name, field in type(current).model_fields.items()
    ]
    return rows + _provider_rows()


def _provider_rows() -> list[dict[str, Any]]:
    """The addresses and keys of providers that are set."""
    from perdure.app.settings import PROVIDER_NAME, file_names, variables

    rows: list[dict[str, Any]] = []
    for name, value in sorted(variables().items()):
        if found := PROVIDER_NAME.match(name):
            is_key = found[2] == "API_KEY"
            rows.append(
                {
                    "name": name,
                    "value": "set" if is_key else value,
                    "source": "file" if name in file_names() else "environment",
                    "default": "unset",
                    "meaning": f"the {'key' if is_key else 'address'} of the provider {found[1].lower()}",
                    "aliases": [],
                }
            )
    return rows


def page(rows: list[dict[str, Any]]) -> "Text":
    """The settings for a person: two lines each."""
    from rich.text import Text

    from perdure.app.render import safe

    text = Text()
    for row in rows:
        changed = row["source"] != "default"
        text.append(f"{row['name']}={safe(row['value'])}", style="bold" if changed else "")
        text.append(f"  ({row['source']})\n" if changed else "\n", style="green")
        default = (
            f"; default: {row['default']}" if changed or row["value"] != row["default"] else ""
        )
        text.append(f"    {row['meaning']}{default}\n", style="dim")
    text.rstrip()
    return text
