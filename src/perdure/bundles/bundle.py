"""The bundle: an immutable, versioned, hashed package of flows."""

from collections.abc import Mapping
from dataclasses import dataclass

from perdure.bundles.document import Json
from perdure.bundles.manifest import Manifest
from perdure.bundles.paths import quoted
from perdure.bundles.refs import bundle_ref, workflow_id
from perdure.errors import FlowNotFound, Invalid
from perdure.ids import BundleSha


@dataclass(frozen=True, slots=True)
class Bundle:
    """What an archive holds, and the hash and size of the archive's own bytes."""

    manifest: Manifest
    flows: Mapping[str, Json]
    assets: Mapping[str, bytes]
    sha256: BundleSha
    size: int

    @property
    def ref(self) -> str:
        """The bundle's name on the wire, `id@version`."""
        return bundle_ref(self.manifest.bundle_id, self.manifest.bundle_version)

    @property
    def file_name(self) -> str:
        """The name of the bundle's file in a folder of bundles."""
        return f"{self.ref}.flow"

    def workflow_id(self, flow_id: str) -> str:
        """The name on the wire of one flow of this bundle."""
        return workflow_id(self.manifest.bundle_id, self.manifest.bundle_version, flow_id)

    def flow(self, flow_id: str) -> Json:
        """The drawn flow. Raises `FlowNotFound`."""
        try:
            return self.flows[flow_id]
        except KeyError:
            raise FlowNotFound(f"There is no flow {quoted(flow_id)} in {self.ref}.") from None

    def default_flow(self) -> str:
        """The flow that is meant where none is named: the only entrypoint, else the default.

        Raises `Invalid` where that leaves a choice.
        """
        entrypoints = self.manifest.entrypoints
        chosen = entrypoints[0].flow_id if len(entrypoints) == 1 else None
        chosen = chosen or self.manifest.default_entrypoint
        if chosen is None:
            names = [entry.flow_id for entry in entrypoints]
            raise Invalid(
                f"{self.ref} has several flows; name one.", reason="flow_not_named", flows=names
            )
        return chosen
