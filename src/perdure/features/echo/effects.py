"""The effect `echo`: answers with its payload."""

from perdure.kernel.model import Effect, Ok, Outcome
from perdure.registry.effects import EffectContext


async def echo(effect: Effect, _context: EffectContext) -> Outcome:
    """Answer with the payload."""
    return Ok(effect.payload)
