"""Flows under their authors' hands on the wire."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, RootModel

from perdure.api.schemas.fields import Body, Id, JsonObject, Words
from perdure.features.flows.authoring import Publish, Published
from perdure.features.flows.checks import EDGES_MAX, NODES_MAX, Problem
from perdure.features.flows.schemas import RELOADED
from perdure.kernel.values import Json
from perdure.stores.drawings import Drawing

DESCRIPTION_LETTERS_MAX: Final = 10_000
INTERFACES_MAX: Final = 32
PROBLEMS_SHOWN: Final = 100  # in one answer
SHOWN: Final[Mapping[str, Json]] = {
    "description": "",
    "interfaces": [],
    "nodes": [],
    "edges": [],
    "entryNode": None,
}


class _Shown(BaseModel):
    """A part of a drawing: what this program needs of it, and whatever its editor has drawn beside."""

    model_config = ConfigDict(extra="allow", strict=True)


class DrawnNode(_Shown):
    """A node."""

    id: Id = Field(min_length=1)
    type: Id = Field(min_length=1)


class DrawnEdge(_Shown):
    """An edge, which has two ends."""

    source: Id = Field(min_length=1)
    sourceHandle: Id = Field(min_length=1)  # noqa: N815 - the editor's word
    target: Id = Field(min_length=1)
    targetHandle: Id = Field(min_length=1)  # noqa: N815 - the same


class NewDrawing(Body):
    """A flow as its author begins it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Words = Field(min_length=1)
    description: str = Field("", max_length=DESCRIPTION_LETTERS_MAX)
    interfaces: list[Id] = Field([], max_length=INTERFACES_MAX)
    nodes: list[DrawnNode] = Field([], max_length=NODES_MAX)
    edges: list[DrawnEdge] = Field([], max_length=EDGES_MAX)
    entryNode: Id | None = None  # noqa: N815 - the editor's word

    def named(self) -> dict[str, Json]:
        """What is to be kept; without what is not named."""
        return self.model_dump(exclude_unset=self._partial)

    _partial: ClassVar[bool] = False


class ChangedDrawing(NewDrawing):
    """What is to be changed of a flow; what is not named stays."""

    _partial: ClassVar[bool] = True

    name: Words = Field("", min_length=1)


class DrawingItem(BaseModel):
    """A flow as its author has it."""

    id: str
    name: str
    description: str
    interfaces: list[str]
    nodes: list[JsonObject]
    edges: list[JsonObject]
    entryNode: str | None  # noqa: N815 - the editor's word
    created_at: str
    updated_at: str


class FlowProblem(BaseModel):
    """One reason why a flow cannot be run yet. `node_id`, `pin` and `edge_id` are empty where they do not apply."""

    flow_id: str
    node_id: str
    type: str
    code: str
    detail: str
    pin: str
    edge_id: str


class CheckedDrawing(DrawingItem):
    """The same, with what keeps it from being run."""

    problems: list[FlowProblem]


class DrawingList(RootModel[list[DrawingItem]]):
    """Every flow under its author's hands."""


class Checked(BaseModel):
    """Whether a flow can be run as it is drawn, and what keeps it from that."""

    ok: bool
    problems: list[FlowProblem]


class Deleted(BaseModel):
    """A flow that is gone."""

    status: str
    id: str


class PublishDrawing(Body):
    """As what a flow is to be published; without a version, as the next one."""

    bundle_id: Id | None = None
    bundle_version: Id | None = None
    overwrite: bool = False
    reload_gateway: bool = True

    def asked(self, key: str | None) -> Publish:
        """What is asked for."""
        return Publish(self.bundle_id, self.bundle_version, self.overwrite, key)


class PublishedDrawing(BaseModel):
    """A bundle that a flow has become."""

    ok: bool
    bundle_id: str
    bundle_version: str
    bundle_ref: str
    bundle_path: str
    sha256: str
    flows: list[str]
    gateway_reloaded: bool
    gateway_reload_error: str | None


def drawing_of(drawing: Drawing) -> dict[str, Json]:
    """A drawing as the wire shows it."""
    return {
        **SHOWN, **drawing.body, "id": drawing.id, "created_at": drawing.created_at,
        "updated_at": drawing.updated_at,
    }  # fmt: skip


def checked_of(drawing: Drawing, problems: Sequence[Problem]) -> dict[str, Json]:
    """A drawing with what keeps it from being run."""
    return {**drawing_of(drawing), "problems": _told(problems)}


def check_of(problems: Sequence[Problem]) -> dict[str, Json]:
    """What keeps a drawing from being run."""
    return {"ok": not problems, "problems": _told(problems)}


def published_of(published: Published) -> dict[str, Json]:
    """What became of a publishing."""
    bundle = published.bundle
    return {
        "ok": True, "bundle_id": published.facts.bundle_id, "bundle_version": published.facts.bundle_version,
        "bundle_ref": bundle.ref, "bundle_path": bundle.file_name, "sha256": published.facts.sha256,
        "flows": sorted(bundle.flows), **RELOADED,
    }  # fmt: skip


def _told(problems: Sequence[Problem]) -> list[Json]:
    return [problem._asdict() for problem in problems[:PROBLEMS_SHOWN]]
