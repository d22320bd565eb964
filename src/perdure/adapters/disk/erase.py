"""Takes a folder away for good, and nothing beside it: no link is followed and no mount is entered."""

import os
import shutil
from pathlib import Path

from perdure.errors import StoreFailed


def erase(root: Path, folder: Path) -> None:
    """Delete `folder`, which lies below `root`. Twice is as good as once.

    Raises `StoreFailed`, with nothing deleted, where the way to it leads elsewhere, or where
    another file system is mounted in it; and where the system refuses.
    """
    check_way(root, folder)
    try:
        device = folder.lstat().st_dev
    except FileNotFoundError:
        return
    try:
        for place, folders, _files in os.walk(folder):  # which follows no links
            for name in folders:
                inside = Path(place, name)
                if not inside.is_symlink() and inside.lstat().st_dev != device:
                    raise StoreFailed("another file system is mounted inside; nothing was deleted")
        shutil.rmtree(folder)
        _sync(folder.parent)
    except OSError as failed:
        raise StoreFailed(f"a folder cannot be deleted: {failed.strerror}") from failed


def check_way(root: Path, folder: Path) -> None:
    """Raises `StoreFailed` unless `folder` lies below `root` by its own name, with no link on the way."""
    try:
        parts = folder.relative_to(root).parts
    except ValueError:
        parts = ()
    if not parts or ".." in parts:
        raise StoreFailed("what is to be deleted does not lie where planes do")
    here = root
    for part in parts:
        here = here / part
        if here.is_symlink():
            raise StoreFailed("a link stands on the way; nothing was deleted")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
