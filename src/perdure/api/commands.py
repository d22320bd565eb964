"""`/commands`: take in what a person wants of a run, once, and say what became of it."""

from starlette.responses import Response

from perdure.api.deps import CurrentPrincipal, CurrentRuntime, EntryInside, require
from perdure.api.routing import PREFIX, answers, json_of, resource
from perdure.api.schemas import commands as shown
from perdure.api.schemas.fields import CommandIdPath
from perdure.services import commands

router = resource("commands", f"{PREFIX}/commands")


@router.post(
    "", dependencies=[require("command:send")], responses=answers(shown.Taken, 404, 409, body=True)
)
async def send_command(
    body: shown.SendCommand,
    runtime: CurrentRuntime,
    principal: CurrentPrincipal,
    entry: EntryInside,
) -> Response:
    """Pause, resume, answer or cancel a run, or send an event. The same `command_id` counts once."""
    accepted = await commands.send(runtime, body.command(principal), entry)
    return json_of(shown.taken_of(accepted))


@router.get(
    "/{command_id}",
    dependencies=[require("command:read")],
    responses=answers(shown.CommandState, 404),
)
async def read_command(command_id: CommandIdPath, runtime: CurrentRuntime) -> Response:
    """Say what became of a command."""
    return json_of(shown.state_of(await commands.delivery(runtime, command_id)))
