"""The effects on files: read, written whole, and listed, in the workspace of the run's whole tree."""

import asyncio
import json
from collections.abc import Mapping
from typing import Final

from perdure.features.files.workspace import Entry, NotThere, Workspace
from perdure.kernel.model import Effect, Failed, Ok, Outcome
from perdure.kernel.values import Json
from perdure.registry.effects import EffectContext

NOT_FOUND: Final = "not_found"
LIMIT: Final = 1_000
DEPTH: Final = 8
FAMILIES: Final[Mapping[str, frozenset[str]]] = {
    "text": frozenset({"txt", "md", "csv", "tsv", "log", "json", "yaml", "yml", "xml", "html"}),
    "image": frozenset({"png", "jpg", "jpeg", "gif", "webp", "svg", "bmp"}),
    "audio": frozenset({"wav", "mp3", "ogg", "flac", "m4a"}),
    "video": frozenset({"mp4", "webm", "mov", "mkv"}),
    "document": frozenset({"pdf", "doc", "docx", "odt", "rtf"}),
    "code": frozenset({"py", "js", "ts", "sh", "c", "h", "rs", "go", "java", "sql", "css"}),
}


def workspace_of(context: EffectContext) -> Workspace | None:
    """The workspace of the run: that of its root, so that a child has what its parent has."""
    return (
        None if context.workspaces is None else Workspace(context.workspaces / context.run.root_id)
    )


def path_of(payload: Json, name: str) -> str:
    """A path of the payload; what is no text is no path."""
    given = payload.get(name) if isinstance(payload, dict) else None
    return given if isinstance(given, str) else ""


def no_workspace() -> Failed:
    """What is said where runs have no workspaces."""
    return Failed("not_configured", "runs have no workspace here")


async def read_file(effect: Effect, context: EffectContext) -> Outcome:
    """Read a text file; a `.json` file is read as JSON."""
    workspace, path = workspace_of(context), path_of(effect.payload, "file_path")
    if workspace is None:
        return no_workspace()
    try:
        content = (await asyncio.to_thread(workspace.read, path)).decode()
        read = json.loads(content) if path.lower().endswith(".json") else content
    except NotThere as gone:
        return Failed(NOT_FOUND, str(gone))
    except UnicodeDecodeError:
        return Failed("not_text", f"{path[:80]!r} is no text")
    except (ValueError, RecursionError):
        return Failed("not_json", f"{path[:80]!r} is no JSON")
    return Ok({"content": read, "file_path": path})


async def write_file(effect: Effect, context: EffectContext) -> Outcome:
    """Write a file whole. The same again writes the same."""
    workspace, path = workspace_of(context), path_of(effect.payload, "file_path")
    if workspace is None:
        return no_workspace()
    content = bytes_of(effect.payload.get("content"))
    try:
        await asyncio.to_thread(workspace.write, path, content)
    except NotThere as refused:
        return Failed(NOT_FOUND, str(refused))
    return Ok({"bytes": len(content), "file_path": path})


def bytes_of(content: Json) -> bytes:
    """A text as it is, and any other value as JSON that people can read."""
    if content is None:
        return b""
    text = (
        content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, indent=2)
    )
    return text.encode()


async def list_folder_files(effect: Effect, context: EffectContext) -> Outcome:
    """List a folder, bounded in number and depth. One of a workspace that nothing wrote to is empty."""
    workspace, payload = workspace_of(context), effect.payload
    if workspace is None:
        return no_workspace()
    path = path_of(payload, "folder_path") or "."
    depth = _whole(payload.get("max_depth"), DEPTH) if payload.get("recursive") else 1
    limit = _whole(payload.get("limit"), LIMIT)
    try:
        found = await asyncio.to_thread(workspace.entries, path, depth=depth, limit=limit)
    except NotThere as gone:
        if path != ".":
            return Failed(NOT_FOUND, str(gone))
        return Ok({"files": [], "entries": [], "count": 0, "truncated": False})
    wished = _endings(payload)
    kept = [it for it in found.entries if it.folder or wished is None or _ending(it.name) in wished]
    if not payload.get("include_directories"):
        kept = [it for it in kept if not it.folder]
    return Ok(
        {
            "files": [it.path for it in kept if not it.folder],
            "entries": [_shown(it) for it in kept],
            "count": len(kept),
            "truncated": found.truncated,
        }
    )


def _endings(payload: Json) -> frozenset[str] | None:
    """The endings that are wished for, of a family and by name; `None` is all."""
    given = payload.get("extensions")
    named = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else []
    endings = {it.strip().lstrip(".").lower() for it in named if isinstance(it, str) and it.strip()}
    family = payload.get("family")
    return (
        frozenset(endings | FAMILIES.get(family if isinstance(family, str) else "", frozenset()))
        or None
    )


def _ending(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def _shown(entry: Entry) -> Json:
    kind = "directory" if entry.folder else "file"
    return {"path": entry.path, "name": entry.name, "type": kind, "size_bytes": entry.size_bytes}


def _whole(value: Json, spare: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 1e9:
        return spare
    return int(value)
