"""The effect `echo`."""

from typing import cast

import pytest

from perdure.features.echo.effects import echo
from perdure.kernel.model import Effect, Ok
from perdure.registry.effects import EffectContext


@pytest.mark.anyio
async def test_it_answers_with_its_payload() -> None:
    """And looks at nothing else."""
    effect = Effect("echo", {"count": 1}, "echo", "echo")
    assert await echo(effect, cast(EffectContext, None)) == Ok({"count": 1})
