"""`/bundles`: list, show, install and deprecate bundles; `/visualflows`: draw and publish flows."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import File, Form, Query, Response, UploadFile

from perdure.api.deps import CurrentRuntime, EntryInside, NewCommand, require
from perdure.api.routing import PREFIX, answers, json_of, resource
from perdure.api.schemas.fields import NamePath
from perdure.features.flows import authoring
from perdure.features.flows import drawing_schemas as drawn
from perdure.features.flows import schemas as shown
from perdure.identity.access import ADMIN, USER, Recorded, Rule, rule
from perdure.services import bundles, flows

ACTIONS: Final[Mapping[str, Rule]] = {
    "bundle:read": rule(USER, ADMIN),
    "bundle:write": rule(USER, ADMIN, audited=True, recorded=Recorded.INSIDE),
    "drawing:read": rule(USER, ADMIN),
    "drawing:write": rule(USER, ADMIN, audited=True, recorded=Recorded.INSIDE),
}

router = resource("bundles", f"{PREFIX}/bundles")
drawings = resource("flows", f"{PREFIX}/visualflows")
workflows = resource("flows", f"{PREFIX}/workflows")

Version = Annotated[str | None, Query(max_length=128)]


@router.get("", dependencies=[require("bundle:read")], responses=answers(shown.BundleList))
async def list_bundles(
    asked: Annotated[shown.AskBundles, Query()], runtime: CurrentRuntime
) -> Response:
    """List installed bundles: of each the newest published version, or every version."""
    return json_of(shown.list_of(await bundles.listed(runtime, asked.which())))


@router.post(
    "/upload",
    dependencies=[require("bundle:write")],
    responses=answers(shown.Uploaded, 409, body=True),
)
async def upload_bundle(
    file: Annotated[UploadFile, File()],
    runtime: CurrentRuntime,
    key: NewCommand,
    entry: EntryInside,
    overwrite: Annotated[bool, Form()] = False,
    reload: Annotated[bool, Form()] = True,
) -> Response:
    """Install a bundle. The same bytes again change nothing and are answered alike."""
    content = await file.read()
    installed = await bundles.upload(runtime, content, overwrite=overwrite, key=key, entry=entry)
    return json_of(shown.uploaded_of(*installed))


@router.post("/reload", dependencies=[require("bundle:write")], responses=answers(shown.Reloaded))
async def reload_bundles(runtime: CurrentRuntime, entry: EntryInside) -> Response:
    """Say what is installed. Nothing has to be loaded again: what is installed is there at once."""
    return json_of(shown.ids_of(await bundles.reload(runtime, entry)))


@router.get(
    "/{bundle_id}",
    dependencies=[require("bundle:read")],
    responses=answers(shown.BundleDetail, 404),
)
async def read_bundle(
    bundle_id: NamePath, runtime: CurrentRuntime, bundle_version: Version = None
) -> Response:
    """Show a bundle with its flows and their inputs."""
    return json_of(shown.detail_of(*await bundles.detail(runtime, bundle_id, bundle_version)))


@router.delete(
    "/{bundle_id}", dependencies=[require("bundle:write")], responses=answers(shown.Removed, 404)
)
async def remove_bundle(
    bundle_id: NamePath,
    runtime: CurrentRuntime,
    entry: EntryInside,
    bundle_version: Version = None,
    reload: bool = True,
) -> Response:
    """Take one version of a bundle, or all, off the list. Runs that are pinned to them go on."""
    return json_of(
        shown.removed_of(*await bundles.remove(runtime, bundle_id, bundle_version, entry))
    )


@router.get(
    "/{bundle_id}/flows/{flow_id}",
    dependencies=[require("bundle:read")],
    responses=answers(shown.FlowOf, 404),
)
async def read_flow(
    bundle_id: NamePath, flow_id: NamePath, runtime: CurrentRuntime, bundle_version: Version = None
) -> Response:
    """Give a flow as it is drawn."""
    return json_of(shown.flow_of(await bundles.flow(runtime, bundle_id, flow_id, bundle_version)))


@router.get(
    "/{bundle_id}/flows/{flow_id}/input_schema",
    dependencies=[require("bundle:read")],
    responses=answers(shown.InputSchema, 404),
)
async def read_input_schema(
    bundle_id: NamePath, flow_id: NamePath, runtime: CurrentRuntime, bundle_version: Version = None
) -> Response:
    """Give the inputs of a flow, as forms need them."""
    return json_of(shown.schema_of(await bundles.flow(runtime, bundle_id, flow_id, bundle_version)))


@router.post(
    "/{bundle_id}/deprecate",
    dependencies=[require("bundle:write")],
    responses=answers(shown.Marked, 404, body=True),
)
async def deprecate_bundle(
    bundle_id: NamePath,
    runtime: CurrentRuntime,
    entry: EntryInside,
    body: shown.Deprecate | None = None,
) -> Response:
    """Let a flow, or all of a bundle, take no new runs."""
    asked = body or shown.Deprecate()
    mark = await bundles.deprecate(runtime, bundle_id, asked.flow_id, asked.reason, entry)
    return json_of(shown.marked_of(bundle_id, asked.flow_id, mark))


@router.post(
    "/{bundle_id}/undeprecate",
    dependencies=[require("bundle:write")],
    responses=answers(shown.Unmarked, 404, body=True),
)
async def undeprecate_bundle(
    bundle_id: NamePath,
    runtime: CurrentRuntime,
    entry: EntryInside,
    body: shown.Undeprecate | None = None,
) -> Response:
    """Let it take new runs again."""
    asked = body or shown.Undeprecate()
    removed = await bundles.undeprecate(runtime, bundle_id, asked.flow_id, entry)
    return json_of(shown.unmarked_of(bundle_id, asked.flow_id, removed))


# --- flows under their authors' hands ------------------------------------------------------------


@drawings.get("", dependencies=[require("drawing:read")], responses=answers(drawn.DrawingList))
async def list_drawings(runtime: CurrentRuntime) -> Response:
    """List the flows that are being drawn, the one changed last first."""
    return json_of([drawn.drawing_of(it) for it in await authoring.listed(runtime)])


@drawings.post(
    "",
    dependencies=[require("drawing:write")],
    responses=answers(drawn.CheckedDrawing, 409, body=True),
)
async def create_drawing(
    body: drawn.NewDrawing, runtime: CurrentRuntime, key: NewCommand, entry: EntryInside
) -> Response:
    """Keep a new flow. It need not be whole; `problems` says what keeps it from being run."""
    drawing = await authoring.create(runtime, body.named(), key, entry)
    return json_of(drawn.checked_of(drawing, await authoring.problems(runtime, drawing)))


@drawings.get(
    "/{flow_id}",
    dependencies=[require("drawing:read")],
    responses=answers(drawn.DrawingItem, 404),
)
async def read_drawing(flow_id: NamePath, runtime: CurrentRuntime) -> Response:
    """Show a flow as its author has it."""
    return json_of(drawn.drawing_of(await authoring.read(runtime, flow_id)))


@drawings.put(
    "/{flow_id}",
    dependencies=[require("drawing:write")],
    responses=answers(drawn.CheckedDrawing, 404, 409, body=True),
)
async def change_drawing(
    flow_id: NamePath, body: drawn.ChangedDrawing, runtime: CurrentRuntime, entry: EntryInside
) -> Response:
    """Change a flow. What is not named stays; `problems` says what keeps it from being run."""
    drawing = await authoring.change(runtime, flow_id, body.named(), entry)
    return json_of(drawn.checked_of(drawing, await authoring.problems(runtime, drawing)))


@drawings.delete(
    "/{flow_id}", dependencies=[require("drawing:write")], responses=answers(drawn.Deleted, 404)
)
async def remove_drawing(
    flow_id: NamePath, runtime: CurrentRuntime, entry: EntryInside
) -> Response:
    """Forget a flow that is being drawn. What was published of it stays."""
    await authoring.remove(runtime, flow_id, entry)
    return json_of({"status": "deleted", "id": flow_id})


@drawings.get(
    "/{flow_id}/check",
    dependencies=[require("drawing:read")],
    responses=answers(drawn.Checked, 404),
)
async def check_drawing(flow_id: NamePath, runtime: CurrentRuntime) -> Response:
    """Say what keeps a flow from being run: each problem with its node, its pin and its edge."""
    drawing = await authoring.read(runtime, flow_id)
    return json_of(drawn.check_of(await authoring.problems(runtime, drawing)))


@drawings.post(
    "/{flow_id}/publish",
    dependencies=[require("drawing:write")],
    responses=answers(drawn.PublishedDrawing, 404, 409, body=True),
)
async def publish_drawing(
    flow_id: NamePath,
    runtime: CurrentRuntime,
    key: NewCommand,
    entry: EntryInside,
    body: drawn.PublishDrawing | None = None,
) -> Response:
    """Make a bundle of a flow and of all that it runs. A published version never changes."""
    asked = (body or drawn.PublishDrawing()).asked(key)
    return json_of(drawn.published_of(await authoring.publish(runtime, flow_id, asked, entry)))


@workflows.get(
    "/{workflow_id}/flow",
    dependencies=[require("bundle:read")],
    responses=answers(shown.WorkflowFlow, 404),
)
async def read_workflow(workflow_id: NamePath, runtime: CurrentRuntime) -> Response:
    """Give the flow behind a run's `workflow_id`, as it is drawn."""
    return json_of(shown.workflow_of(await flows.of_workflow(runtime, workflow_id)))
