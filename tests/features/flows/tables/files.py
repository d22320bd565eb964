"""Files of the workspace and artifacts. What the effects themselves do is tested where they are."""

from perdure.kernel.model import Failed, Ok
from perdure.kernel.values import Json
from tests.support.tables import Table, passing, row, told


def _done(type: str, pins: dict[str, Json], gives: dict[str, Json]) -> list[Table]:
    """What goes wrong is a fault of the node; only what nobody performs fails the run."""
    return [
        passing(type, *pins, out=" ".join(gives)).rows(
            told(row(pins, **gives), effects={type: Ok(gives)}),
            told(row(pins, fault="there is no file a.txt"), effects={type: Failed("not_found", "there is no file a.txt")}),
            row(pins, fails="not_configured"),
        )
    ]  # fmt: skip


FILE: dict[str, Json] = {"file_path": "a.txt"}
REF = {"$artifact": "a1", "artifact_id": "a1"}

TABLES = {
    "read_file": _done("read_file", FILE, {"content": "hi", "file_path": "a.txt"}),
    "write_file": _done("write_file", {**FILE, "content": "hi"}, {"bytes": 2, "file_path": "a.txt"}),
    "list_folder_files": _done("list_folder_files", {"folder_path": "."}, {"files": ["a.txt"], "count": 1, "truncated": False}),
    "read_pdf": _done("read_pdf", {"file_path": "a.pdf"}, {"content": "hi", "pages": 1, "truncated": False}),
    "write_pdf": _done("write_pdf", {"file_path": "a.pdf", "content": "hi"}, {"bytes": 900, "sha256": "00"}),
    "import_workspace_file": _done("import_workspace_file", FILE, {"artifact": REF, "artifact_id": "a1", "size_bytes": 2}),
    "read_artifact": _done("read_artifact", {"artifact": REF}, {"text": "hi", "is_binary": False}),
    "export_artifact": _done("export_artifact", {"artifact": REF, **FILE}, {"bytes": 2, "sha256": "00"}),
}  # fmt: skip
