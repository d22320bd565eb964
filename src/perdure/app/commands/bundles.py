"""Commands about bundles: what is installed, and how a readable folder becomes a `.flow` file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.app.commands import completion
from perdure.app.commands.options import AsJson, show, talk
from perdure.errors import Invalid

if TYPE_CHECKING:
    from rich.text import Text

    from perdure.app.client import Gateway

app = typer.Typer(no_args_is_help=True, help="List, install and pack bundles of flows.", rich_markup_mode=None)  # fmt: skip
Bundle = Annotated[str, typer.Argument(metavar="BUNDLE", help="`bundle`, or `bundle@version` for one version.", autocompletion=completion.bundles)]  # fmt: skip
FlowOption = Annotated[str | None, typer.Option("--flow", help="Only this flow of the bundle.")]


@app.command("list")
def list_bundles(
    ctx: typer.Context,
    versions: Annotated[bool, typer.Option("--versions", help="Every version, not only the latest.")] = False,
    deprecated: Annotated[bool, typer.Option("--deprecated", help="Deprecated ones too.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """List what can be run."""
    query = {"all_versions": versions, "include_deprecated": deprecated}
    answer = talk(ctx, lambda gateway: gateway.get("/bundles", **query))
    show(answer["items"], as_json, bundles_table)


def bundles_table(items: list[Any]) -> "Text":
    """A row for each flow that can be started."""
    from perdure.app.render import table

    rows = (
        (item["bundle_ref"], entry["flow_id"], "deprecated" if entry["deprecated"] else "", entry["description"])
        for item in items
        for entry in item["entrypoints"]
    )  # fmt: skip
    return table(("bundle", "flow", "", "what it does"), rows)


@app.command("show")
def show_bundle(ctx: typer.Context, bundle: Bundle, as_json: AsJson = False) -> None:
    """Show a bundle: its flows, and what each takes."""
    show(talk(ctx, lambda gateway: _detail(gateway, bundle)), as_json, bundle_page)


async def _detail(gateway: "Gateway", bundle: str) -> Any:
    bundle_id, version = _parts(bundle)
    return await gateway.get(_path(bundle_id), bundle_version=version)


def bundle_page(bundle: Any) -> "Text":
    """A bundle as a page."""
    from perdure.app.render import facts

    rows = [("bundle", bundle["bundle_ref"]), ("created", bundle["created_at"] or "")]
    for entry in bundle["entrypoints"]:
        rows.append(("flow", f"{entry['flow_id']}\n{entry['description']}"))
        if entry["deprecated"]:
            rows.append(("", f"deprecated: {entry['deprecated_reason'] or 'no reason given'}"))
        rows += [("  input", _input(it)) for it in entry["inputs"]]
    return facts(rows)


def _input(pin: Any) -> str:
    default = f", {pin['default']!r} if not given" if pin.get("default") is not None else ""
    return f"{pin['id']} ({pin['type']}{default})"


@app.command()
def upload(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A `.flow` file, or a readable folder to pack first.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the same version with other contents.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Install a bundle. The same contents again change nothing."""
    content = packed(path) if path.is_dir() else _bytes(path)
    answer = talk(ctx, lambda gateway: gateway.upload(path.name, content, overwrite=overwrite))
    show(answer, as_json, lambda it: f"Installed {it['bundle_ref']} (sha256 {it['sha256']}).")


@app.command()
def remove(ctx: typer.Context, bundle: Bundle, as_json: AsJson = False) -> None:
    """Take a bundle off the list. Runs that it started keep it."""
    bundle_id, version = _parts(bundle)
    answer = talk(ctx, lambda gateway: gateway.delete(_path(bundle_id), bundle_version=version))
    show(answer, as_json, lambda it: f"Removed {it['removed']} of {it['bundle_ref']}.")


@app.command()
def deprecate(
    ctx: typer.Context, bundle: Bundle, flow: FlowOption = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for those who try to start it.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Let a bundle start no new runs. Those under way go on."""
    body = {"flow_id": flow, "reason": reason}
    _mark(ctx, bundle, "deprecate", body, as_json, "It starts no new runs.")


@app.command()
def undeprecate(
    ctx: typer.Context, bundle: Bundle, flow: FlowOption = None, as_json: AsJson = False
) -> None:
    """Let a deprecated bundle start runs again."""
    _mark(ctx, bundle, "undeprecate", {"flow_id": flow}, as_json, "It can be started again.")


def _mark(ctx: typer.Context, bundle: str, verb: str, body: Any, as_json: bool, done: str) -> None:
    body = {name: value for name, value in body.items() if value is not None}
    path = f"{_path(_parts(bundle)[0])}/{verb}"
    answer = talk(ctx, lambda gateway: gateway.post(path, body))
    show(answer, as_json, lambda it: done)


@app.command()
def pack(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder with a `manifest.json`.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="PATH", help="The file, or the folder to put it in.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a `.flow` file of a readable folder. The same folder gives the same bytes everywhere."""
    from perdure.bundles.codec import read_bundle

    content = packed(folder)
    bundle = read_bundle(content)
    place = out or Path()
    target = place / bundle.file_name if place.is_dir() else place
    try:
        target.write_bytes(content)
    except OSError as error:
        raise Invalid(f"{target} cannot be written: {error.strerror}") from error
    facts = {"path": str(target), "bundle_ref": bundle.ref, "sha256": bundle.sha256, "bytes": len(content)}  # fmt: skip
    show(facts, as_json, lambda it: f"{target}: {bundle.ref}, {len(content)} bytes, sha256 {bundle.sha256}")  # fmt: skip


def packed(folder: Path) -> bytes:
    """The bundle that a readable folder stands for. Raises `BundleRefused`, `Invalid`."""
    from perdure.bundles.codec import pack_files

    if not (folder / "manifest.json").is_file():
        raise Invalid(f"{folder} is no bundle: it has no manifest.json.")
    members = [it for it in sorted(folder.rglob("*")) if it.is_file()]
    return pack_files({it.relative_to(folder).as_posix(): _bytes(it) for it in members})


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from error


def _parts(bundle: str) -> tuple[str, str | None]:
    bundle_id, _, version = bundle.partition("@")
    return bundle_id, version or None


def _path(bundle_id: str) -> str:
    from perdure.app.client import quoted

    return f"/bundles/{quoted(bundle_id)}"
