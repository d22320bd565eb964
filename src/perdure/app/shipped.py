"""The bundles that come with the program: packed in the wheel, readable folders in a checkout."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Final

from perdure.bundles.codec import pack_files, read_bundle
from perdure.clock import text_of
from perdure.runtimes.context import RuntimeContext
from perdure.services.bundles import facts_of

CHECKOUT: Final = Path(__file__).parents[3] / "bundles"


def shipped_bundles() -> Iterator[bytes]:
    """The bytes of each shipped bundle."""
    packed = files("perdure").joinpath("_data", "bundles")
    if packed.is_dir():
        for entry in sorted(packed.iterdir(), key=lambda entry: entry.name):
            yield entry.read_bytes()
        return
    for folder in sorted(path for path in CHECKOUT.iterdir() if path.is_dir()):
        yield pack_files(folder_files(folder))


def folder_files(folder: Path) -> dict[str, bytes]:
    """The files of a readable bundle folder that belong into a bundle, by their name in it."""
    found = [folder / "manifest.json"]
    for part in ("flows", "assets"):
        found += sorted(path for path in (folder / part).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


async def install_shipped(runtime: RuntimeContext) -> None:
    """Have the shipped bundles in a runtime. One that was removed there comes back at the next start."""
    at = text_of(runtime.clock.now())
    for content in shipped_bundles():
        facts = facts_of(read_bundle(content), at, shipped=True)
        await runtime.plane.bundles.install(content, facts, overwrite=True)
