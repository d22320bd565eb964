"""Nodes that read and write files in the run's workspace, and artifacts. What goes wrong is a fault of the node."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.model import NodeType
from perdure.features.flows.nodes.asking import Asking, asks
from perdure.kernel.model import EffectClass

WRITES = EffectClass.IDEMPOTENT

TYPES: Final[Mapping[str, NodeType]] = {
    "read_file": asks(
        Asking("read_file", faults=True),
        "file_path -> content file_path",
        "Reads a text file of the workspace; one that ends in `.json` is read as JSON.",
    ),
    "write_file": asks(
        Asking("write_file", WRITES, faults=True),
        "file_path content -> bytes file_path",
        "Writes a file of the workspace, whole or not at all. What is no text is written as JSON.",
    ),
    "list_folder_files": asks(
        Asking("list_folder_files", faults=True),
        "folder_path recursive family extensions include_directories limit max_depth -> files entries count truncated",
        "Lists the files of a folder of the workspace, in the order of their names.",
    ),
    "read_pdf": asks(
        Asking("read_pdf", faults=True),
        "file_path page_start page_end max_chars -> content pages processed_pages metadata warnings truncated",
        "Reads the text of a PDF of the workspace, from `page_start` to `page_end`, both included and counted from 1. `pages` is how many it has, `warnings` what was not read.",
    ),
    "write_pdf": asks(
        Asking("write_pdf", WRITES, faults=True),
        "file_path content title -> bytes sha256 file_path content_type",
        "Writes a text as a PDF of the workspace, whole or not at all: a line is a paragraph, a form feed begins a page, the title is a heading. What is no text is written as JSON. The same content has the same bytes.",
    ),
    "import_workspace_file": asks(
        Asking("import_workspace_file", WRITES, faults=True),
        "file_path content_type -> artifact artifact_ref artifact_id content_type size_bytes source_path",
        "Keeps a file of the workspace as an artifact of the run.",
    ),
    "read_artifact": asks(
        Asking("read_artifact", faults=True),
        "artifact -> text json binary_base64 is_binary content_type size_bytes artifact_id",
        "Reads an artifact of the run, or of its session.",
    ),
    "export_artifact": asks(
        Asking("export_artifact", WRITES, faults=True),
        "artifact file_path -> bytes sha256 file_path content_type artifact_id",
        "Writes an artifact of the run, or of its session, as a file of the workspace.",
    ),
}
