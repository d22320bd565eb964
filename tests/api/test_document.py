"""What the OpenAPI document says is what the server does, whatever a generator thinks of to send."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, Phase, settings

from perdure.api.app import create_app
from perdure.api.collaborators import ApiSettings, Collaborators
from perdure.identity.access import RULES
from perdure.identity.credentials import SingleToken
from perdure.identity.principal import Principal
from perdure.registry.registry import registry_of
from perdure.runtimes.context import RuntimeContext
from tests.support.gateway import (
    BEARER,
    FEATURES,
    TOKEN,
    Options,
    a_gateway,
    a_straight_bundle,
    an_asking_bundle,
    served,
)

SHOWN = {"Authorization": BEARER["authorization"]}
EXAMPLES = 30  # of each operation
OPEN = ApiSettings(on_loopback=True, lockout_after=1_000_000, access_logged=False)


@asynccontextmanager
async def a_server(folder: Path) -> AsyncIterator[str]:
    """A gateway on a port, with a run of each state in it; where it is."""
    async with a_gateway(folder, Options(settings=OPEN)) as gateway:
        await gateway.install(an_asking_bundle(id="ask"))
        await gateway.install(a_straight_bundle(id="straight"))
        await gateway.until(await gateway.start("ask:main", prompt="?"), "waiting")
        await gateway.until(await gateway.start("straight:main", prompt="?"), "completed")
        async with served(gateway.app) as url:
            yield url


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server is that runs in a thread of its own."""
    folder = tmp_path_factory.mktemp("gateway")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(a_server(folder)) as it,
    ):
        yield it


def document() -> dict[str, Any]:
    """The document of an application with every feature of the tests."""

    async def open_runtime(_principal: Principal) -> RuntimeContext:
        raise AssertionError("nothing is opened here")

    registry = registry_of(FEATURES, RULES)
    credentials = SingleToken([TOKEN], b"k")
    return create_app(Collaborators(registry, open_runtime, credentials, settings=OPEN)).openapi()


schema = schemathesis.openapi.from_dict(document())
schema.config.generation.update(allow_extra_parameters=False)  # what no route reads harms nobody
# What a shape cannot tell, such as that a bundle must be there, is refused with 400 or 422 all the same.
TELLS_MORE_THAN_A_SHAPE = [schemathesis.checks.positive_data_acceptance]


def holding(path: str, method: str) -> Any:
    """The test of one operation."""

    @schema.include(path=path, method=method.upper()).parametrize()
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def answered(case: Any, url: str) -> None:
        case.call_and_validate(base_url=url, headers=SHOWN, excluded_checks=TELLS_MORE_THAN_A_SHAPE)

    return answered


# A test by name for each operation: tests of one name are one test to what runs them side by side.
OPERATIONS = {
    f"test_{operation['operationId']}": holding(path, method)
    for path, operations in schema.raw_schema["paths"].items()
    for method, operation in operations.items()
}
globals().update(OPERATIONS)


def test_every_operation_has_its_test() -> None:
    assert len(OPERATIONS) == len(list(schema.get_all_operations())) > 40
