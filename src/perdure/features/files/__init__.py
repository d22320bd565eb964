"""Files of the workspaces of runs, and artifacts as files."""

from typing import Final

from perdure.features.files.artifacts import export_artifact, import_workspace_file, read_artifact
from perdure.features.files.effects import list_folder_files, read_file, write_file
from perdure.registry.effects import EffectKind
from perdure.registry.feature import Feature

TIMEOUT_S: Final = 30.0

FEATURE: Final = Feature(
    name="files",
    effects={
        "read_file": EffectKind(read_file, timeout_s=TIMEOUT_S),
        "write_file": EffectKind(write_file, timeout_s=TIMEOUT_S),
        "list_folder_files": EffectKind(list_folder_files, timeout_s=TIMEOUT_S),
        "import_workspace_file": EffectKind(import_workspace_file, timeout_s=TIMEOUT_S),
        "read_artifact": EffectKind(read_artifact, timeout_s=TIMEOUT_S),
        "export_artifact": EffectKind(export_artifact, timeout_s=TIMEOUT_S),
    },
)
