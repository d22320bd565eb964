"""What the OpenAPI document says is what the server does, whatever a generator thinks of to send."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

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
from tests.support.gateway import FEATURES, TOKEN, served
from tests.support.signing import a_town

EXAMPLES = 30  # of each operation
OPEN = ApiSettings(on_loopback=True, lockout_after=1_000_000, access_logged=False)


class Server(NamedTuple):
    """Where a gateway is, and what an admin of it shows."""

    url: str
    shown: dict[str, str]


@asynccontextmanager
async def a_server(folder: Path) -> AsyncIterator[Server]:
    """A gateway with users on a port, with a run of each state in it."""
    async with a_town(folder, OPEN) as town:
        gateway = town.gateway
        await gateway.until(await gateway.start("ask:main", prompt="?"), "waiting")
        await gateway.until(await gateway.start("straight:main", prompt="?"), "completed")
        async with served(gateway.app) as url:
            yield Server(url, {"Authorization": town.bearer("ada")["authorization"]})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that runs in a thread of its own."""
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
schema.config.generation.update(
    allow_extra_parameters=False,  # what no route reads harms nobody
    with_security_parameters=False,  # whatever is made up, it is replaced by what the admin shows
)
# A body of ten thousand of something is refused for its size before anybody looks at its shape.
schema.config.checks.negative_data_rejection.expected_statuses = [
    *schema.config.checks.negative_data_rejection.expected_statuses, "413",
]  # fmt: skip
# What a shape cannot tell, such as that a bundle must be there, is refused with 400 or 422 all the same.
FORM = "multipart/form-data"
EVERYTHING_IS_TEXT = [schemathesis.checks.negative_data_rejection]  # a number or a list too
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
    def answered(case: Any, server: Server) -> None:
        without = TELLS_MORE_THAN_A_SHAPE + (EVERYTHING_IS_TEXT if case.media_type == FORM else [])
        case.call_and_validate(base_url=server.url, headers=server.shown, excluded_checks=without)

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
