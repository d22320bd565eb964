"""Large values: on the way down they go to the disk and leave a placeholder, on the way up they return."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from perdure.adapters.content import Content
from perdure.adapters.sql.encode import dumps
from perdure.ids import derived_id
from perdure.kernel.limits import INLINE_BYTES_MAX
from perdure.kernel.model import GONE, Step
from perdure.kernel.values import Json

JSON_TYPE: Final = "application/json"
PLACE: Final = "$artifact"


class Offloaded(NamedTuple):
    """A value that went to the disk: its row in `artifacts`, and the step that it came with, if any."""

    id: str
    owner: str
    sha256: str
    size_bytes: int
    step: Step | None = None


class Offloading:
    """The large values of one run in one commit. Their bytes are on disk when a method returns."""

    def __init__(self, content: Content, owner: str) -> None:
        """Put bytes into `content`, in the name of `owner`."""
        self._content = content
        self._owner = owner
        self.step: Step | None = None  # the one whose record is being made
        self.rows: list[Offloaded] = []

    def place(self, content: bytes) -> str:
        """Put a value's bytes on the disk; the id of the artifact that they are now."""
        digest = self._content.put(content)
        named = derived_id(self._owner, digest)
        artifact = Offloaded(named, self._owner, digest, len(content), self.step)
        self.rows.append(artifact)
        return artifact.id

    def _place(self, content: bytes) -> dict[str, Json]:
        return {PLACE: self.place(content)}

    def lighten(self, value: Json) -> Json:
        """The value with every part that is too large replaced, the innermost that will do."""
        content = dumps(value)
        if len(content) <= INLINE_BYTES_MAX:
            return value
        if isinstance(value, dict):
            value = {name: self.lighten(part) for name, part in value.items()}
        elif isinstance(value, list | tuple):
            value = [self.lighten(part) for part in value]
        return self._place(content) if len(dumps(value)) > INLINE_BYTES_MAX else value

    def lighten_cells(self, cells: Mapping[str, Json]) -> tuple[dict[str, Json], list[str], int]:
        """The cells with each large value replaced as a whole; which, and how many bytes went."""
        light: dict[str, Json] = {}
        names: list[str] = []
        moved = 0
        for name, value in cells.items():
            content = dumps(value)
            if len(content) > INLINE_BYTES_MAX:
                light[name] = self._place(content)
                names.append(name)
                moved += len(content)
            else:
                light[name] = value
        return light, names, moved

    def body(self, body: dict[str, Json]) -> tuple[bytes, list[str]]:
        """A record's body: what its effect asked for and what came of it are lightened; and what was put away."""
        before = len(self.rows)
        effect = body["effect"]
        if effect is not None:
            body["effect"] = {**effect, "payload": self.lighten(effect["payload"])}
        body["result"] = self.lighten(body["result"])
        return dumps(body), [row.id for row in self.rows[before:]]

    def detail(self, detail: dict[str, Json]) -> tuple[bytes, int]:
        """A record's detail with its large cells replaced, named in `offloaded`; how many bytes it stands for."""
        light, names, moved = self.lighten_cells(detail.get("writes", {}))
        if names:
            detail = {**detail, "writes": light, "offloaded": names}
        content = dumps(detail)
        return content, len(content) + moved

    def cells(self, cells: Mapping[str, Json]) -> tuple[bytes, int]:
        """A snapshot, and how many bytes the cells are in full."""
        content = dumps({"cells": cells})
        if len(content) <= INLINE_BYTES_MAX:
            return content, len(content)
        light, names, moved = self.lighten_cells(cells)
        if names:
            content = dumps({"cells": light, "offloaded": names})
        return content, len(content) + moved

    def unrecorded(self, writes: Mapping[str, Json], silent: Sequence[Json]) -> bytes | None:
        """Writes and events that no record carries yet, in the shape of a record's detail."""
        if not writes and not silent:
            return None
        detail: dict[str, Json] = {
            "writes": {name: value for name, value in writes.items() if value is not GONE},
            "gone": [name for name, value in writes.items() if value is GONE],
            "events": silent,
        }
        return self.detail(detail)[0]


def placed(names: list[str], cells: Mapping[str, Json]) -> dict[str, str]:
    """Which cells are placeholders of ours, and for which artifact."""
    return {name: cells[name][PLACE] for name in names if name in cells}
