"""The shell offers what the gateway knows, and nothing, quickly, where no gateway answers."""

import pytest

from perdure.app.cli import app
from tests.app.conftest import Perdure
from tests.support.loopback import Call, Exchange, unused_port
from tests.support.scripted_gateway import ScriptedGateway, problem, summary


@pytest.fixture
def offered(perdure: Perdure, monkeypatch: pytest.MonkeyPatch) -> "Offered":
    return Offered(perdure, monkeypatch)


class Offered:
    """What bash would offer for a line, as the installed script asks for it."""

    def __init__(self, perdure: Perdure, monkeypatch: pytest.MonkeyPatch) -> None:
        self._perdure = perdure
        self._monkeypatch = monkeypatch

    def __call__(self, line: str) -> list[str]:
        words = line.split(" ")
        self._monkeypatch.setenv("_PERDURE_COMPLETE", "complete_bash")
        self._monkeypatch.setenv("COMP_WORDS", line)
        self._monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        return self._perdure().out.split()


def test_commands_are_offered(offered: Offered) -> None:
    assert offered("perdure led") == ["ledger"]
    assert "pack" in offered("perdure bundles ")


def test_runs_are_offered_by_their_beginning(offered: Offered, gateway: ScriptedGateway) -> None:
    rows = [summary("01-a"), summary("01-b"), summary("02-c")]
    gateway.on("GET", "/runs", (200, {"items": rows, "next_cursor": None}))
    assert offered("perdure show 01") == ["01-a", "01-b"]
    assert gateway.asked("GET", "/runs")[0].headers["authorization"] == "Bearer agw_test"


def test_bundles_are_offered(offered: Offered, gateway: ScriptedGateway) -> None:
    items = [{"bundle_id": "ask-first", "entrypoints": [{"description": "Asks."}]}, {"bundle_id": "b", "entrypoints": []}]  # fmt: skip
    gateway.on("GET", "/bundles", (200, {"items": items}))
    assert offered("perdure run a") == ["ask-first"]


def test_the_gateway_of_the_line_is_asked(offered: Offered, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setenv("PERDURE_URL", f"http://127.0.0.1:{unused_port()}")
    gateway.on("GET", "/runs", (200, {"items": [summary("01-a")], "next_cursor": None}))
    assert offered(f"perdure --url {gateway.url} show 0") == ["01-a"]


def test_nothing_is_offered_where_nobody_answers(
    offered: Offered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_URL", f"http://127.0.0.1:{unused_port()}")
    assert offered("perdure show 0") == []


def test_nothing_is_offered_where_the_answer_is_no(
    offered: Offered, gateway: ScriptedGateway
) -> None:
    gateway.on("GET", "/runs", problem(401, "unauthenticated", "No."))
    assert offered("perdure show 0") == []


def test_a_gateway_that_is_slow_is_not_waited_for(
    offered: Offered, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    from perdure.app.commands import completion

    def late(call: Call, exchange: Exchange) -> None:
        exchange.connection.recv(1)  # until the client has gone

    monkeypatch.setattr(completion, "WAIT_S", 0.2)
    gateway.on("GET", "/runs", late)
    assert offered("perdure show 0") == []


def test_the_script_for_the_shell_can_be_had(perdure: Perdure) -> None:
    assert app.info.name == "perdure"
    assert "--install-completion" in perdure("--help").out
