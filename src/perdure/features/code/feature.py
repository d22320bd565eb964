"""What the code feature brings."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from perdure.features.code.effects import KIND, run_code_kind
from perdure.features.code.routes import ACTIONS, routes
from perdure.features.code.sandbox.sandbox import Sandbox
from perdure.registry.feature import Feature


def code_feature(sandbox: Sandbox) -> Feature:
    """The feature over one sandbox, whose folders go with it."""

    @asynccontextmanager
    async def lifespan() -> AsyncGenerator[None]:
        try:
            yield
        finally:
            sandbox.close()

    return Feature(
        name="code", effects={KIND: run_code_kind(sandbox)}, routers=(routes(sandbox),), actions=ACTIONS,
        contracts={"common.execution.code": {"sandbox": sandbox.expected}}, lifespan=lifespan,
    )  # fmt: skip
