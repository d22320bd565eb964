"""Providers are asked, briefly and all at once; a key goes to its own address and nowhere else."""

from collections.abc import AsyncGenerator

import pytest

from perdure.errors import NotFound
from perdure.features.models.discovery import Catalog, Listing
from perdure.features.models.effects import Address, Embedded
from perdure.features.models.settings import ModelsConfig, Provider
from perdure.kernel.model import Failed
from perdure.stores.http import Http
from tests.support.loopback import Call, Exchange, Loopback, unused_port
from tests.support.models import an_asker, config_for, scripted

pytestmark = pytest.mark.anyio


async def nowhere() -> Address | Failed:
    return Failed("embedded_failed")


TOY = Embedded("toy", nowhere)


@pytest.fixture
async def http() -> AsyncGenerator[Http]:
    async with an_asker() as asker:
        yield asker.http


def one(name: str, url: str) -> Catalog:
    return Catalog(ModelsConfig({name: Provider(name, url, "k")}, {}), None)


async def test_every_provider_is_described(http: Http) -> None:
    with scripted(models=["a", "b"]) as server:
        catalog = Catalog(config_for(server), TOY)
        scripted_one, embedded = await catalog.providers(http, include_models=True)
    assert (scripted_one["id"], scripted_one["models"]) == ("scripted", ["a", "b"])
    assert (scripted_one["status"], scripted_one["model_count"]) == ("available", 2)
    assert (embedded["id"], embedded["models"]) == ("embedded", ["toy"])
    assert embedded["local_provider"] and not embedded["authentication_required"]
    assert "tools" not in embedded["supported_features"]


async def test_the_default_one_comes_first(http: Http) -> None:
    with scripted() as server:
        assert Catalog(config_for(server), TOY).names() == ["scripted", "embedded"]
        assert Catalog(config_for(server, default=False), TOY).names() == ["embedded", "scripted"]
        (told, _) = await Catalog(config_for(server), TOY).providers(http, include_models=False)
    assert told["models"] == []


async def test_a_provider_that_is_down_is_told_as_such(http: Http) -> None:
    (told,) = await one("ollama", f"http://127.0.0.1:{unused_port()}/v1").providers(
        http, include_models=True
    )
    assert (told["status"], told["model_count"], told["models"]) == ("unavailable", 0, [])
    assert told["problem"].startswith("refused")


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [(401, b"{}", "it answered with status 401"), (200, b"<html>", "its list of models is not readable"),
     (200, b'{"data": 3}', "its list of models is not readable")],
)  # fmt: skip
async def test_an_answer_that_is_no_list_is_told(
    http: Http, status: int, body: bytes, problem: str
) -> None:
    def answer(call: Call, exchange: Exchange) -> None:
        exchange.reply(status, body)

    with Loopback(answer) as server:
        assert await one("x", server.url).listing("x", http) == Listing((), problem)


async def test_a_list_is_read_as_far_as_it_makes_sense(http: Http) -> None:
    def answer(call: Call, exchange: Exchange) -> None:
        exchange.reply(200, b'{"data": [{"id": "a"}, 3, {"id": 7}, {"id": "b\\ud800"}]}')

    with Loopback(answer) as server:
        listing = await one("x", server.url).listing("X", http)
    assert listing == Listing(("a", "b\ufffd"))
    assert server.calls[0].headers["authorization"] == "Bearer k"


async def test_a_provider_that_is_not_configured_is_not_there(http: Http) -> None:
    with pytest.raises(NotFound, match="PERDURE_PROVIDER_VLLM_BASE_URL"):
        await Catalog(ModelsConfig(), None).listing("vLLM", http)
    with pytest.raises(NotFound):
        await Catalog(ModelsConfig(), None).listing("embedded", http)


def test_what_is_not_known_of_a_model_is_null() -> None:
    catalog = Catalog(ModelsConfig(), TOY)
    assert catalog.capabilities("gpt")["max_tokens"] is None
    assert catalog.capabilities("toy")["tool_support"] == "prompted"
