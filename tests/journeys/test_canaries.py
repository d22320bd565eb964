"""No secret is anywhere but where it belongs, whatever was asked of a gateway and whatever it went through."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.aviary import Aviary
from tests.journeys.outing import Outing, an_outing
from tests.support.openai_server import OpenAiServer

CANARIES_MIN = 50
SETTINGS = (("settings",), ("doctor",))  # of which those of the database are some


@pytest.fixture
def aviary(tmp_path: Path, postgres: str | None) -> Iterator[Aviary]:
    """A gateway that is not started yet, and a provider of models."""
    with OpenAiServer() as provider:
        yield Aviary(tmp_path, provider, postgres)


async def go_everywhere(outing: Outing) -> None:
    """Use every part of a gateway."""
    await outing.users()
    await outing.browsers()
    await outing.profiles()
    await outing.runs()
    await outing.deeds()
    await outing.everything()


async def speak(aviary: Aviary, environment: dict[str, str], token: str) -> None:
    """Use the command line, with the right token and with a wrong one."""
    url = {"PERDURE_URL": aviary.url, "PERDURE_TOKEN": token}
    calls = [aviary.command(environment | url, *words) for words in SETTINGS]
    if aviary.postgres is None:  # the rest is said over HTTP, whatever the database
        wrong = url | {"PERDURE_TOKEN": aviary.hatch("a wrong token")}
        export = ("audit", "export", "--out", str(aviary.folder / "export"))
        rotate = ("users", "rotate", "carl", "--json")
        calls += [aviary.command(environment | url, *words) for words in (export, rotate)]
        calls.append(aviary.command(environment | wrong, "runs"))
    await asyncio.gather(*calls)


@pytest.mark.anyio
async def test_no_secret_is_where_it_does_not_belong(aviary: Aviary) -> None:
    environment = aviary.environment()
    process = aviary.start(environment)
    try:
        token = await aviary.first_token(process)
        async with an_outing(aviary, token) as outing:
            await go_everywhere(outing)
        await speak(aviary, environment, token)
        aviary.back_up()
        await aviary.stop(process)
    finally:
        process.kill()
        process.wait()
    counts = aviary.counts()
    assert sum(counts.values()) >= CANARIES_MIN, counts
    assert {"a token", "a browser's session", "a browser's csrf", "a provider's key"} <= set(counts)
    assert len(outing.routes) > CANARIES_MIN
    told = repr([call.headers for call in aviary.provider.calls])
    assert all(key in told for key in outing.keys.values()), "a key did not reach its provider"
    assert aviary.found() == []
