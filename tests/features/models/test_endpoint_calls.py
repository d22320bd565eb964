"""A flow that names an endpoint profile: the key is opened for the call and is nowhere afterwards."""

from base64 import b64encode
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from perdure.clock import SystemClock
from perdure.features.models.settings import ModelsConfig
from perdure.kernel.model import Failed, Ok
from perdure.registry.effects import EffectContext
from perdure.stores.endpoints import Endpoint, EndpointRefused, Use
from tests.support.egress import an_egress
from tests.support.models import Asker, config_for, scripted
from tests.support.openai_server import MODEL, Answer, OpenAiServer

pytestmark = pytest.mark.anyio

KEY = "sk-secret-0123456789abcdef"


class Profiles:
    """Profiles of a test by id, and the uses of their keys."""

    def __init__(self, **endpoints: Endpoint | EndpointRefused) -> None:
        self.endpoints = endpoints
        self.uses: list[Use] = []

    async def open(self, profile_id: str, use: Use) -> Endpoint:
        self.uses.append(use)
        found = self.endpoints.get(profile_id) or EndpointRefused("endpoint_not_found", "none")
        if isinstance(found, EndpointRefused):
            raise found
        return found


class Caller(Asker):
    """Asks with profiles at hand."""

    profiles: Profiles

    def context(self) -> EffectContext:
        return replace(super().context(), endpoints=self.profiles)


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    egress = an_egress()
    yield Caller(egress, SystemClock())
    await egress.close()


def an_endpoint(server: OpenAiServer, *models: str) -> Endpoint:
    return Endpoint("endpoint:office", "openai-compatible", server.base_url, models, KEY)


async def test_a_profile_answers_with_its_key_and_nothing_of_it_comes_back(caller: Caller) -> None:
    with scripted(Answer("hello"), api_key=KEY) as server:
        caller.profiles = Profiles(office=an_endpoint(server))
        result = await caller.result(ModelsConfig(), provider="endpoint:office", model=MODEL)
    assert result["content"] == "hello" and result["metadata"]["provider"] == "endpoint:office"
    assert KEY not in str(result)
    assert [(it.purpose, it.key) for it in caller.profiles.uses] == [("llm_call", "run:1:0")]


@pytest.mark.parametrize("written", [KEY, KEY.encode().hex(), b64encode(KEY.encode()).decode()])
async def test_promise_102_a_provider_that_repeats_the_key_does_not_put_it_on_record(
    caller: Caller, written: str
) -> None:
    answers = (Answer(f"you sent {written}"), Answer(status=401, error=f"bad key {written}"))
    with scripted(*answers) as server:
        caller.profiles = Profiles(office=an_endpoint(server))
        said = await caller.ask(ModelsConfig(), provider="endpoint:office", model=MODEL)
        failed = await caller.ask(ModelsConfig(), provider="endpoint:office", model=MODEL)
    assert isinstance(said, Ok) and isinstance(failed, Failed)
    assert "you sent *" in said.result["content"] and failed.code == "provider_auth"
    assert written.rstrip("=") not in f"{said}{failed}"


@pytest.mark.parametrize(
    "code", ["endpoint_not_found", "endpoint_disabled", "endpoint_key_unreadable"]
)
async def test_promise_109_a_profile_that_cannot_be_used_is_replaced_by_no_other(
    caller: Caller, code: str
) -> None:
    with scripted(Answer("never")) as server:
        caller.profiles = Profiles(office=EndpointRefused(code, "no"))
        config = config_for(server)
        outcome = await caller.ask(config, provider="endpoint:office", model=MODEL)
        assert outcome == Failed(code, "no") and server.requests == []


async def test_a_profile_names_its_models(caller: Caller) -> None:
    with scripted(Answer("one")) as server:
        caller.profiles = Profiles(office=an_endpoint(server, MODEL), open=an_endpoint(server))
        assert isinstance(await caller.ask(ModelsConfig(), provider="endpoint:office"), Ok)
        other = await caller.ask(ModelsConfig(), provider="endpoint:office", model="other")
        unnamed = await caller.ask(ModelsConfig(), provider="endpoint:open")
    assert isinstance(other, Failed) and other.code == "model_not_allowed"
    assert isinstance(unnamed, Failed) and unnamed.code == "model_not_configured"


async def test_a_profile_can_be_the_route_of_text(caller: Caller) -> None:
    with scripted(Answer("routed")) as server:
        caller.profiles = Profiles(office=an_endpoint(server))
        config = ModelsConfig(routes={"output.text": f"endpoint:office/{MODEL}"})
        assert (await caller.result(config))["content"] == "routed"
