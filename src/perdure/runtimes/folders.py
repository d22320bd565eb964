"""Where a plane keeps what lies in files; nothing else builds such a path."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Final

from perdure.ids import RuntimeId, TenantId

PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")  # names that mean one folder everywhere


def plane_folder(data: Path, tenant: TenantId, runtime: RuntimeId) -> Path:
    """The folder of a plane below the data directory. Two planes have two, and none leaves `planes`."""
    return data / "planes" / _part(tenant) / _part(runtime)


def _part(name: str) -> str:
    """A name as a folder: itself where it is plain, else a hash, since folders may not tell A from a."""
    if PLAIN.fullmatch(name):
        return name
    return "~" + sha256(name.encode()).hexdigest()[:32]
