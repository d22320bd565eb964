"""The bundles that come with the program: packed in the wheel, readable folders in a checkout."""

import asyncio
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Final

from perdure.bundles.codec import pack_files, read_bundle
from perdure.clock import text_of
from perdure.runtimes.context import RuntimeContext
from perdure.services.bundles import facts_of, word_of
from perdure.stores.bundles import Installed

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


class Shipped:
    """The shipped bundles, read and checked once for all planes."""

    def __init__(self) -> None:
        """Read them when a plane first needs them."""
        self._bundles: list[tuple[bytes, Installed]] | None = None

    async def install(self, runtime: RuntimeContext) -> None:
        """Have them in a runtime, writing only what it lacks. One that was removed there comes back at the next start."""
        if self._bundles is None:
            self._bundles = await asyncio.to_thread(_read)
        at = text_of(runtime.clock.now())
        there = {
            (it.bundle_id, it.bundle_version): it.sha256
            for it in await runtime.plane.bundles.list()
        }
        for content, facts in self._bundles:
            if there.get((facts.bundle_id, facts.bundle_version)) != facts.sha256:
                told = facts._replace(created_at=facts.created_at or at, installed_at=at)
                await runtime.plane.bundles.install(content, told, overwrite=True, word=word_of(at))


def _read() -> list[tuple[bytes, Installed]]:
    return [
        (content, facts_of(read_bundle(content), "", shipped=True)) for content in shipped_bundles()
    ]
