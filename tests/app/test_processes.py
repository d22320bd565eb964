"""The processes start only where they can, end in order when they are told to, and pick up where they were."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from perdure.app.processes import run_runner, serve
from perdure.app.settings import read_settings
from perdure.errors import Invalid
from tests.support.asker import Asker
from tests.support.openai_server import Answer, OpenAiServer
from tests.support.postgres import postgres_server
from tests.support.served import GUARD_S, PERDURE, Served


@pytest.fixture
def model() -> Iterator[OpenAiServer]:
    """A model that answers only when it is asked again."""
    with OpenAiServer(answers=[Answer(never=True), Answer("Paris.")]) as server:
        yield server


def with_model(home: Path, model: OpenAiServer, **settings: str) -> Served:
    """A gateway whose questions go to the model."""
    address = {
        "PERDURE_MODEL": "scripted/scripted-1",
        "PERDURE_PROVIDER_SCRIPTED_BASE_URL": model.base_url,
    }
    return Served(home, settings={**address, **settings})


class Reader(Thread):
    """Reads a ledger as it grows, to whatever end."""

    def __init__(self, asker: Asker, run_id: str) -> None:
        super().__init__(daemon=True)
        self._asker, self._run_id = asker, run_id
        self.lines: list[str] = []
        self.ended_well = False

    def run(self) -> None:
        """Read; a stream that is cut off ends this with an error."""
        for line in self._asker.lines(self._run_id):
            self.lines.append(line)
        self.ended_well = True


# --- what cannot be ------------------------------------------------------------------------------


def test_on_sqlite_a_runner_alone_is_refused(home: Path) -> None:
    with pytest.raises(Invalid, match="needs Postgres"):
        run_runner(read_settings())
    assert not home.exists()


def test_a_port_that_is_taken_is_told_in_one_line_before_anything_is_opened(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Invalid) as refused:
            serve(read_settings(port=port))
    assert f"cannot listen on 127.0.0.1:{port}" in refused.value.detail
    assert "--port" in refused.value.detail
    assert "\n" not in refused.value.detail
    assert not home.exists()


def test_a_second_process_on_the_same_data_is_refused_with_the_reason(home: Path) -> None:
    with Served(home) as first:
        second = subprocess.run(
            [*PERDURE, "serve", "--port", "0"], env=first.environment(), capture_output=True,
            text=True, timeout=GUARD_S,
        )  # fmt: skip
        assert second.returncode == 1
        assert "another process" in second.stderr
        assert "Traceback" not in second.stderr
        with Asker(first.url, first.token) as it:
            it.follow_to_end(it.start("two-timers"), "completed")


# --- how it ends ---------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_well_while_a_stream_is_open_and_a_run_waits(
    told: signal.Signals, home: Path
) -> None:
    with Served(home) as served, Asker(served.url, served.token) as it:
        run_id = it.start("ask-first", prompt="Well?")
        key = it.wait_of(run_id)["wait_key"]
        reader = Reader(it, run_id)
        reader.start()
        while not reader.lines:
            pass
        served.process.send_signal(told)
        assert served.rest() == 0
        reader.join(GUARD_S)
        assert reader.ended_well, "the stream was cut off"
        assert "event: done" not in reader.lines, "the run has not ended"
    with Served(home) as served, Asker(served.url, served.token) as it:
        assert it.wait_of(run_id)["wait_key"] == key
        it.answer(run_id, "yes")
        it.follow_to_end(run_id, "completed")


def test_it_ends_well_during_a_call_of_a_model_and_asks_again_later(
    home: Path, model: OpenAiServer
) -> None:
    with (
        with_model(home, model, PERDURE_STOP_S="0.2") as served,
        Asker(served.url, served.token) as it,
    ):
        run_id = it.start("basic-llm", prompt="Where?")
        model.until_asked()
        assert served.interrupt() == 0
    with with_model(home, model) as served, Asker(served.url, served.token) as it:
        it.follow_to_end(run_id, "completed")
        assert it.get(f"/runs/{run_id}")["output"]["response"] == "Paris."
        assert it.get(f"/runs/{run_id}/verify")["ok"]
    assert model.counter == 2


def test_who_asks_a_second_time_does_not_wait_for_what_is_under_way(
    home: Path, model: OpenAiServer
) -> None:
    with (
        with_model(home, model, PERDURE_STOP_S="3600") as served,
        Asker(served.url, served.token) as it,
    ):
        it.start("basic-llm", prompt="Where?")
        model.until_asked()
        served.process.send_signal(signal.SIGINT)
        served.until("stopping")
        assert served.interrupt() == 0


def test_where_it_listens_everywhere_it_says_where_this_machine_finds_it(home: Path) -> None:
    with Served(home, words=["serve", "--host", "0.0.0.0"]) as served:
        assert served.url.startswith("http://127.0.0.1:")
        with Asker(served.url, served.token) as it:
            assert it.get("/ping")["ok"]
        assert served.interrupt() == 0


# --- two processes -------------------------------------------------------------------------------


def test_on_postgres_the_face_takes_in_what_a_runner_does(home: Path) -> None:
    server = postgres_server()
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE processes")
    settings = {"PERDURE_DATABASE_URL": server.url("processes")}
    with (
        Served(home, words=["serve", "--no-runner"], settings=settings) as face,
        Asker(face.url, face.token) as it,
    ):
        run_id = it.start("two-timers")
        assert it.get(f"/runs/{run_id}")["blocked_on"]["type"] == "runner"
        with subprocess.Popen([*PERDURE, "runner"], env=face.environment(), stderr=subprocess.PIPE) as runner:  # fmt: skip
            it.follow_to_end(run_id, "completed")
            runner.send_signal(signal.SIGINT)
            assert runner.wait(GUARD_S) == 0
        assert face.interrupt() == 0
