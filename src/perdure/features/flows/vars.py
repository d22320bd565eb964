"""Where the flow language's `vars` are kept: the only place that knows both its paths and our cells.

| path in the language | cell |
|---|---|
| `name`, `name.a.b` | `var/name`, else the input `in/name`; a dotted name rewrites that one cell |
| `context`, `context.x` | `var/context`, else `in/context`, without its messages |
| `context.messages` | `msg/0` … `msg/<n-1>`; `ctl/messages` is n, `ctl/compacted` tells of those that were summed up |
| `_last_output` | the cell, or the cell and the part of it, that `last` names (in a branch of `parallel`: `ctl/<branch>/last`) |
| `_temp.node_outputs.<node>`, `_temp.effects.<node>` | `out/<node>` |
| `_runtime`, `_limits`, `_run_lifecycle` | `rt/_runtime`, `rt/_limits`, `rt/_run_lifecycle` |
"""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from perdure.features.flows.faults import NodeFault
from perdure.features.flows.values import MISSING, Pins, as_object, planted, walked
from perdure.ids import RunId
from perdure.kernel.model import GONE
from perdure.kernel.values import Json

LAST: Final = "last"
MESSAGES: Final = "ctl/messages"
COMPACTED: Final = "ctl/compacted"  # how many were taken away so far, and how many were left
RUNTIME: Final = "rt/_runtime"
CONTEXT: Final = "context"
INPUTS: Final = "__inputs"  # stands for the run's inputs where a flow begins without a start node
HIDDEN: Final = frozenset({"workspace_root"})  # never ambient, beside all that begins with `_`

Writes = dict[str, Json]


class Reading(Protocol):
    """Something that cells can be read from."""

    def get(self, name: str, default: Json = None) -> Json:
        """The cell's value, or `default` where there is none."""
        ...


class Vars:
    """The variables of a run, as a node at one position reads them. Writes are returned, never made."""

    __slots__ = ("_cells", "_last")

    def __init__(self, cells: Reading, last: str = LAST) -> None:
        """Read `cells`; `last` is the cell that names this position's last output."""
        self._cells = cells
        self._last = last

    def over(self, writes: Writes) -> "Vars":
        """The variables as they are once `writes` are made."""
        return Vars(_Written(self._cells, writes), self._last)

    def get(self, path: str) -> Json:
        """The value at a dotted path, or null."""
        head, *rest = _parts(path) or [""]
        if head == CONTEXT:
            return self._in_context(rest)
        if head == "_temp":
            wanted = len(rest) > 1 and rest[0] in ("node_outputs", "effects")
            return walked(self.output(rest[1], None), rest[2:]) if wanted else None
        if head == "_last_output":
            return walked(self.last_output(), rest)
        if head.startswith("_"):
            return walked(self._cells.get(f"rt/{head}"), rest)
        return walked(self.first(head, None), rest)

    def first(self, name: str, default: Json = MISSING) -> Json:
        """A variable by its first segment: as set, else as given to the run."""
        value = self._cells.get(f"var/{name}", MISSING)
        return self._cells.get(f"in/{name}", default) if value is MISSING else value

    def output(self, node_id: str, default: Json = MISSING) -> Json:
        """What a node last gave out."""
        return self._cells.get(f"out/{node_id}", default)

    def last_output(self) -> Json:
        """`_last_output`: what the last function-like node gave out."""
        name = self._cells.get(self._last)
        if isinstance(name, list):
            cell, part = name
            return as_object(self._cells.get(cell)).get(part)
        return None if name is None else self._cells.get(name)

    def ambient(self) -> Pins:
        """The keys of the last output, which unconnected pins see; reserved ones are not there."""
        last = self.last_output()
        if not isinstance(last, dict):
            return {}
        return {key: value for key, value in last.items() if not reserved(key)}

    def runtime(self) -> Mapping[str, Json]:
        """`_runtime`: what the start request says for the whole run, such as a model."""
        return as_object(self._cells.get(RUNTIME))

    def context(self) -> Pins:
        """`context` without its messages."""
        kept = as_object(self.first(CONTEXT, None))
        return {key: value for key, value in kept.items() if key != "messages"}

    def messages(self) -> list[Json]:
        """`context.messages`, oldest first. Reads every one: for nodes that need them all."""
        return [self._cells.get(f"msg/{index}") for index in range(self._count())]

    def assigned(self, path: str, value: Json) -> Writes:
        """The writes that set a dotted path. Raises `NodeFault` for a reserved or empty name."""
        head, *rest = _parts(path) or [""]
        if not head:
            raise NodeFault("a variable needs a name")
        if head.startswith("_"):
            raise NodeFault(f"the name {head[:80]!r} is reserved: it begins with an underscore")
        if head == CONTEXT:
            return self._context_assigned(rest, value)
        return {f"var/{head}": planted(self.first(head, None), rest, value) if rest else value}

    def told(self, run: RunId, turns: Iterable[tuple[str, str]], kind: str) -> Writes:
        """The writes that append turns of a conversation, each a role and what was said."""
        count, away = self._count(), self.away()
        writes: Writes = {}
        for role, content in turns:
            about = {"kind": kind, "message_id": f"{run}:{count + away}"}
            writes[f"msg/{count}"] = {"role": role, "content": content, "metadata": about}
            count += 1
        return {**writes, MESSAGES: count}

    def added(self, run: RunId, role: str, content: str, at: str) -> tuple[Json, Writes]:
        """A message at the end of the conversation, and the writes that put it there."""
        count = self._count()
        about = {"message_id": f"{run}:{count + self.away()}"}
        message = {"role": role, "content": content, "timestamp": at, "metadata": about}
        return message, {f"msg/{count}": message, MESSAGES: count + 1}

    def seeded(self) -> Writes:
        """The writes that make message cells of the `context.messages` that the run was given."""
        given = as_object(self._cells.get(f"in/{CONTEXT}")).get("messages")
        already = self._cells.get(MESSAGES) is not None
        return {} if already or not isinstance(given, list) else self.replaced(given)

    def away(self) -> int:
        """How many messages fewer there are than were said, since older ones were summed up."""
        return int(as_object(self._cells.get(COMPACTED)).get("away") or 0)

    def began_with(self, messages: list[Json]) -> bool:
        """Whether a conversation that was summed up since had begun with these messages, as a model is given them."""
        given = as_object(self._cells.get(f"in/{CONTEXT}")).get("messages")
        seed = spoken(given) if isinstance(given, list) else []
        return self.away() > 0 and seed[: len(messages)] == messages

    def _count(self) -> int:
        return int(self._cells.get(MESSAGES) or 0)

    def _in_context(self, rest: list[str]) -> Json:
        if rest[:1] == ["messages"]:
            return walked(self.messages(), rest[1:])
        if rest:
            return walked(self.context(), rest)
        return {**self.context(), "messages": self.messages()}

    def _context_assigned(self, rest: list[str], value: Json) -> Writes:
        if rest[:1] == ["messages"]:
            if len(rest) > 1:
                raise NodeFault("messages are set all at once, not one inside another")
            return self.replaced(value if isinstance(value, list) else [])
        if rest:
            return {f"var/{CONTEXT}": planted(self.context(), rest, value)}
        if not isinstance(value, dict):
            return {f"var/{CONTEXT}": value, **self.replaced([])}
        messages = value.get("messages")
        kept = {key: item for key, item in value.items() if key != "messages"}
        return {
            f"var/{CONTEXT}": kept,
            **self.replaced(messages if isinstance(messages, list) else []),
        }

    def replaced(self, messages: list[Json]) -> Writes:
        """The writes that make these messages the whole conversation."""
        writes: Writes = {f"msg/{index}": item for index, item in enumerate(messages)}
        writes.update({f"msg/{index}": GONE for index in range(len(messages), self._count())})
        return {**writes, MESSAGES: len(messages)}


class _Written:
    """Cells with writes over them that nobody has made yet."""

    __slots__ = ("_cells", "_writes")

    def __init__(self, cells: Reading, writes: Writes) -> None:
        self._cells = cells
        self._writes = writes

    def get(self, name: str, default: Json = None) -> Json:
        value = self._writes[name] if name in self._writes else self._cells.get(name, default)
        return default if value is GONE else value


def reserved(name: str) -> bool:
    """Whether a key of an output never becomes ambient."""
    return name.startswith("_") or name in HIDDEN


def inherited(parent: list[Json], own: Json) -> Writes:
    """The message cells of a child that continues its parent's conversation.

    First what speaks as the system, the child's before the parent's, then the parent's turns, then
    the child's. A message that both have is taken once, by its id.
    """
    mine = [item for item in own if isinstance(item, dict)] if isinstance(own, list) else []
    theirs = [item for item in parent if isinstance(item, dict)]
    ordered = [
        *(item for item in [*mine, *theirs] if item.get("role") == "system"),
        *(item for item in [*theirs, *mine] if item.get("role") != "system"),
    ]
    seen: set[str] = set()
    kept: list[Json] = []
    for item in ordered:
        message_id = as_object(item.get("metadata")).get("message_id")
        if isinstance(message_id, str):
            if message_id in seen:
                continue
            seen.add(message_id)
        kept.append(item)
    return {**{f"msg/{index}": item for index, item in enumerate(kept)}, MESSAGES: len(kept)}


def spoken(messages: list[Json]) -> list[Json]:
    """The messages as a model is given them: who spoke, and what was said."""
    return [
        {"role": item["role"], "content": item["content"]}
        for item in messages
        if isinstance(item, dict)
        and isinstance(item.get("role"), str)
        and item.get("content") is not None
    ]


def _parts(path: str) -> list[str]:
    return [part for part in path.split(".") if part]
