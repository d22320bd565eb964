"""Packs the readable folders of `bundles/` into the wheel, each as the `.flow` file that it stands for."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PackedBundles(BuildHookInterface[Any]):
    """A checkout has folders to read and change; an installed package has files that never change."""

    packed: TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the packed bundles to a wheel. An editable install reads the folders themselves."""
        if version == "editable":
            return
        root = Path(self.root)
        sys.path.insert(0, str(root / "src"))  # what is built is also what packs
        from perdure.bundles.codec import pack_files, read_bundle

        self.packed = TemporaryDirectory(prefix="bundles-")
        for manifest in sorted(root.glob("bundles/*/manifest.json")):
            folder = manifest.parent
            members = (path for path in sorted(folder.rglob("*")) if path.is_file())
            raw = pack_files({it.relative_to(folder).as_posix(): it.read_bytes() for it in members})
            name = read_bundle(raw).file_name
            Path(self.packed.name, name).write_bytes(raw)
            build_data["force_include"][f"{self.packed.name}/{name}"] = (
                f"perdure/_data/bundles/{name}"
            )

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the packed files once the wheel has them."""
        if self.packed:
            self.packed.cleanup()
