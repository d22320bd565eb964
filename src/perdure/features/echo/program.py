"""The program `echo`: as many echoes as `in/steps` says, one after the other."""

from typing import Final

from perdure.bundles.bundle import Bundle
from perdure.kernel.model import Arrived, Effect, EffectClass, Event, Failed, ProgramRef
from perdure.kernel.program import Done, Fail, Moment, Move, Program, View

STEPS, COUNT = "in/steps", "var/count"


class Echoes:
    """Counts its echoes in one cell."""

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Ask for the next echo, or end with how many there were."""
        if isinstance(event, Arrived) and isinstance(event.outcome, Failed):
            return Move(end=Fail(event.outcome.code, event.outcome.detail))
        count: int = cells.get(COUNT, 0)
        if count >= cells.get(STEPS, 1):
            return Move(end=Done({"count": count}))
        effect = Effect("echo", {"count": count}, "echo", "echo", EffectClass.IDEMPOTENT)
        return Move(writes={COUNT: count + 1}, effects=(effect,), path=("echo",))


ECHOES: Final[Program] = Echoes()


def make(_ref: ProgramRef, _bundle: Bundle | None) -> Program:
    """The one program of this kind."""
    return ECHOES
