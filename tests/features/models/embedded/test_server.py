"""The embedded model, really: it answers and streams, is started once and again, and leaves nothing behind."""

import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest

from perdure.features.models.effects import Address, Embedded
from perdure.features.models.embedded import server as serving
from perdure.features.models.embedded.install import MODEL
from perdure.features.models.embedded.server import EmbeddedServer
from perdure.features.models.settings import ModelsConfig
from perdure.kernel.model import Failed, Unknown
from tests.support.models import CHECKOUT, Asker, an_asker, embedded_file

pytestmark = pytest.mark.anyio
NOTHING = ModelsConfig()


@pytest.fixture
async def asker() -> AsyncGenerator[Asker]:
    async with an_asker() as it:
        yield it


@pytest.fixture
async def server(asker: Asker) -> AsyncGenerator[EmbeddedServer]:
    it = EmbeddedServer(embedded_file(), asker.own)
    yield it
    await it.close()


def lives(pid: int) -> bool:
    """Whether there is such a process, zombies aside."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def gone(pid: int) -> None:
    """Wait for the end of a process."""
    with anyio.fail_after(30):
        while lives(pid):
            await anyio.sleep(0.01)


async def test_it_answers_streams_and_says_what_it_is(asker: Asker, server: EmbeddedServer) -> None:
    embedded = Embedded(server.model, server.address)
    params = {"temperature": 0, "max_tokens": 24}
    result = await asker.result(
        NOTHING, embedded, prompt="What is the capital of France?", params=params
    )
    assert "Paris" in result["content"]
    assert asker.text() == result["content"]
    assert (result["model"], result["metadata"]["provider"]) == (MODEL, "embedded")
    assert result["metadata"]["host"] == "embedded"
    assert "is a toy" in result["metadata"]["notice"]
    assert result["usage"]["output_tokens"] > 0


async def test_it_keeps_to_a_schema_and_to_the_shapes_of_tools(
    asker: Asker, server: EmbeddedServer
) -> None:
    embedded = Embedded(server.model, server.address)
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    result = await asker.result(
        NOTHING, embedded, prompt="Tom is here. Who?", response_schema=schema
    )
    assert set(result["data"]) == {"name"}
    city = {"type": "object", "properties": {"city": {"enum": ["Paris"]}}, "required": ["city"]}
    tool = {"name": "get_weather", "description": "The weather of a city", "parameters": city}
    result = await asker.result(
        NOTHING, embedded, prompt="What is the weather in Paris?", tools=[tool],
        params={"temperature": 0},
    )  # fmt: skip
    calls = result["tool_calls"]
    assert calls is None or calls == [
        {"name": "get_weather", "arguments": {"city": "Paris"}, "call_id": "call_0"}
    ]
    assert calls or result["content"]


async def test_a_question_beyond_its_context_is_told_as_such(
    asker: Asker, server: EmbeddedServer
) -> None:
    embedded = Embedded(server.model, server.address)
    outcome = await asker.ask(NOTHING, embedded, prompt="hello " * 6_000)
    assert isinstance(outcome, Failed)
    assert outcome.code == "context_too_long"


async def test_many_at_once_start_one_process(server: EmbeddedServer) -> None:
    found: list[Address | Failed] = []

    async def ask() -> None:
        found.append(await server.address())

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(ask)
    (first, *others) = found
    assert isinstance(first, Address)
    assert all(other == first for other in others)


async def test_it_is_started_again_when_it_has_died(asker: Asker, server: EmbeddedServer) -> None:
    first = await server.address()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await gone(pid)
    second = await server.address()
    assert isinstance(second, Address) and isinstance(first, Address)
    assert second.api_key != first.api_key
    assert server.pid != pid


async def test_a_death_in_the_middle_of_an_answer_is_an_unknown_outcome(
    asker: Asker, server: EmbeddedServer
) -> None:
    embedded = Embedded(server.model, server.address)
    await server.address()
    pid = server.pid
    assert pid is not None
    outcomes = []

    async def ask() -> None:
        params = {"max_tokens": 3_000}
        outcomes.append(await asker.ask(NOTHING, embedded, prompt="Count to 1000.", params=params))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        with anyio.fail_after(30):
            while not asker.deltas:
                await anyio.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
    assert isinstance(outcomes[0], Unknown)


async def test_nobody_without_the_key_is_answered(asker: Asker, server: EmbeddedServer) -> None:
    address = await server.address()
    assert isinstance(address, Address)
    url = f"{address.base_url}/models"
    assert (await asker.http.send("GET", url)).status == 401
    headers = {"authorization": f"Bearer {address.api_key}"}
    assert (await asker.http.send("GET", url, headers=headers)).status == 200


async def test_the_key_stands_in_no_command_line_and_ours_not_in_its_environment(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_PROVIDER_OPENAI_API_KEY", "s3cret")
    address = await server.address()
    assert isinstance(address, Address)
    told = Path(f"/proc/{server.pid}/cmdline").read_bytes()
    environment = Path(f"/proc/{server.pid}/environ").read_bytes()
    assert address.api_key.encode() not in told + environment
    assert b"s3cret" not in environment


PARENT = """
import json, sys, anyio
from pathlib import Path
from perdure.adapters.egress import Egress
from perdure.features.models.embedded.server import EmbeddedServer

async def main():
    server = EmbeddedServer(Path(sys.argv[1]), Egress().own)
    await server.address()
    print(json.dumps(server.pid), flush=True)
    await anyio.sleep_forever()

anyio.run(main)
"""


async def test_it_dies_with_its_parent() -> None:
    command = [sys.executable, "-c", PARENT, str(embedded_file())]
    async with await anyio.open_process(command, cwd=CHECKOUT, stderr=None) as parent:
        assert parent.stdout is not None
        child = int(json.loads(await parent.stdout.receive()))
        assert lives(child)
        parent.kill()
        await parent.wait()
        await gone(child)


async def test_a_missing_file_is_told_with_the_command_that_helps(
    asker: Asker, tmp_path: Path
) -> None:
    failed = await EmbeddedServer(tmp_path / "none.gguf", asker.own).address()
    assert isinstance(failed, Failed)
    assert failed.code == "model_not_installed"
    assert "perdure models install" in failed.detail


async def test_a_file_that_is_no_model_is_a_failure_and_leaves_no_process(
    asker: Asker, tmp_path: Path
) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"no model")
    server = EmbeddedServer(tmp_path / "bad.gguf", asker.own)
    failed = await server.address()
    assert isinstance(failed, Failed)
    assert failed.code == "embedded_failed"
    assert server.pid is None


@pytest.mark.parametrize(
    ("script", "code", "says"),
    [
        (
            'print(\'{"error": "ModuleNotFoundError: xllamacpp"}\')',
            "provider_not_configured",
            "perdure[local]",
        ),
        ("raise SystemExit(7)", "embedded_failed", "code 7"),
    ],
)
async def test_a_child_that_cannot_serve_is_told(
    asker: Asker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, code: str, says: str
) -> None:
    child = tmp_path / "child.py"
    child.write_text(script)
    monkeypatch.setattr(serving, "CHILD", child)
    failed = await EmbeddedServer(embedded_file(), asker.own).address()
    assert isinstance(failed, Failed)
    assert (failed.code, says in failed.detail) == (code, True)


@pytest.fixture
def slow_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A child that never gets ready; the file in which it leaves its process id."""
    pid = tmp_path / "pid"
    child = tmp_path / "child.py"
    child.write_text(
        f"import os, time\nopen('{pid}.new', 'w').write(str(os.getpid()))\n"
        f"os.rename('{pid}.new', '{pid}')\ntime.sleep(60)"
    )
    monkeypatch.setattr(serving, "CHILD", child)
    return pid


async def test_a_start_that_takes_too_long_leaves_no_process(
    asker: Asker, slow_child: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "START_S", 3.0)
    failed = await EmbeddedServer(embedded_file(), asker.own).address()
    assert isinstance(failed, Failed)
    assert failed.retryable
    await gone(int(slow_child.read_text()))


async def test_a_start_that_is_given_up_leaves_no_process(asker: Asker, slow_child: Path) -> None:
    server = EmbeddedServer(embedded_file(), asker.own)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.address)
        with anyio.fail_after(30):
            while not slow_child.exists():
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    await gone(int(slow_child.read_text()))
