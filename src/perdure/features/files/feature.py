"""What the files feature brings."""

from typing import Final

from perdure.features.files.artifacts import export_artifact, import_workspace_file, read_artifact
from perdure.features.files.effects import list_folder_files, read_file, write_file
from perdure.features.files.pdf.effects import pdf_kinds
from perdure.features.files.pdf.pdfs import Pdfs
from perdure.registry.effects import EffectKind
from perdure.registry.feature import Feature

TIMEOUT_S: Final = 30.0


def files_feature(pdfs: Pdfs) -> Feature:
    """The effects on files and artifacts; PDFs are read and written by `pdfs`."""
    return Feature(
        name="files",
        effects={
            "read_file": EffectKind(read_file, timeout_s=TIMEOUT_S),
            "write_file": EffectKind(write_file, timeout_s=TIMEOUT_S),
            "list_folder_files": EffectKind(list_folder_files, timeout_s=TIMEOUT_S),
            "import_workspace_file": EffectKind(import_workspace_file, timeout_s=TIMEOUT_S),
            "read_artifact": EffectKind(read_artifact, timeout_s=TIMEOUT_S),
            "export_artifact": EffectKind(export_artifact, timeout_s=TIMEOUT_S),
            **pdf_kinds(pdfs),
        },
    )
