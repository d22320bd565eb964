"""The flow behind a run's `workflow_id`: out of its bundle, or drawn by what its program is."""

from typing import NamedTuple

from perdure.bundles.manifest import read_manifest
from perdure.bundles.refs import workflow_id as named
from perdure.errors import FlowNotFound
from perdure.ids import RunId
from perdure.kernel.model import ProgramRef
from perdure.kernel.values import Json
from perdure.runtimes.context import RuntimeContext
from perdure.services.bundles import DrawnFlow
from perdure.stores.runs import RunQuery


class Wrapper(NamedTuple):
    """A flow that no bundle holds: what a program of another kind looks like to an editor."""

    workflow_id: str
    flow: Json


async def of_workflow(runtime: RuntimeContext, workflow_id: str) -> DrawnFlow | Wrapper:
    """The flow that a workflow id names, also of a bundle that was removed. Raises `FlowNotFound`.

    The id is compared and never taken apart: it was made once, and a run keeps what it stands for.
    """
    for facts in await runtime.plane.bundles.list():
        for flow_id in read_manifest(facts.manifest).flows:
            if named(facts.bundle_id, facts.bundle_version, flow_id) == workflow_id:
                bundle = await runtime.bundle(facts.sha256)
                return DrawnFlow(bundle, flow_id, bundle.flow(flow_id))
    query = RunQuery(limit=1, workflow_id=workflow_id, hidden=True, drafts=True)
    page = await runtime.plane.runs.list(query)
    if not page.items:
        raise FlowNotFound
    return await _of_run(runtime, page.items[0].birth.id, workflow_id)


async def _of_run(runtime: RuntimeContext, run_id: RunId, workflow_id: str) -> DrawnFlow | Wrapper:
    """What a run is a run of. Raises `FlowNotFound` where nothing draws it."""
    loaded = (await runtime.plane.runs.load([run_id])).get(run_id)
    if loaded is None:
        raise FlowNotFound
    program: ProgramRef = loaded.run.birth.program
    draw = runtime.registry.drawings.get(program.kind)
    if draw is not None:
        return Wrapper(workflow_id, draw(loaded.run.birth, loaded.cells))
    bundle = None if program.bundle is None else await runtime.bundle(program.bundle)
    if bundle is None or program.name not in bundle.flows:
        raise FlowNotFound
    return DrawnFlow(bundle, program.name, bundle.flow(program.name))
