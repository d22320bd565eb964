"""The program `echo`."""

from datetime import UTC, datetime

from perdure.features.echo import FEATURE
from perdure.ids import RunId, SessionId
from perdure.kernel.decide import decide
from perdure.kernel.draft import born
from perdure.kernel.model import (
    Advance,
    Arrived,
    Birth,
    Event,
    Failed,
    Ok,
    Outcome,
    ProgramRef,
    Run,
    Status,
)
from perdure.kernel.values import Json

AT = datetime(2026, 1, 1, tzinfo=UTC)
REF = ProgramRef("echo", None, "")


def ended(steps: int, outcome: Outcome) -> Run:
    """A run of so many echoes, each with that outcome, to its end."""
    birth = Birth(RunId("r"), "echo", REF, "t", RunId("r"), SessionId("s"))
    cells: dict[str, Json] = {"in/steps": steps}
    run, event, program = born(birth, cells).run, Advance(), FEATURE.programs["echo"](REF, None)
    following: Event = event
    while run.status is Status.RUNNING:
        decision = decide(run, following, program, cells, AT)
        cells.update(decision.writes)
        run = decision.run
        if decision.effects:
            following = Arrived(decision.effects[0].key, outcome)
    return run


def test_it_ends_after_as_many_echoes_as_it_was_told() -> None:
    """None, one, and several."""
    for steps in (0, 1, 3):
        run = ended(steps, Ok(None))
        assert run.output == {"count": steps} and run.usage.effects == steps


def test_an_echo_that_fails_ends_the_run_badly() -> None:
    """With the effect's own code."""
    run = ended(2, Failed("broken", "why"))
    assert run.status is Status.FAILED and run.error == "broken: why"
