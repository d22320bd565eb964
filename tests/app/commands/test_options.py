"""Every command speaks to the gateway that is named before it, and Ctrl-C leaves quietly."""

import json
from typing import Any

import pytest
import typer

from perdure.app.client import Gateway
from perdure.app.commands.options import Asked, at_a_terminal, screen, show, talk
from tests.app.conftest import Perdure
from tests.support.loopback import unused_port
from tests.support.scripted_gateway import ScriptedGateway, problem, summary


class Context:
    """As much of a context as a command looks at."""

    obj = Asked()


def test_what_is_said_before_the_command_wins_over_the_settings(
    perdure: Perdure, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_URL", f"http://127.0.0.1:{unused_port()}")
    gateway.run(summary("r1"))
    assert perdure("--url", gateway.url, "--token", "agw_said", "show", "r1").code == 0
    [call] = gateway.asked("GET", "/runs/r1")
    assert call.headers["authorization"] == "Bearer agw_said"


def test_no_gateway_ends_it_with_4_and_says_how_to_start_one(perdure: Perdure) -> None:
    ran = perdure("--url", f"http://127.0.0.1:{unused_port()}", "runs")
    assert ran.code == 4
    assert "serve`, or name another with --url or PERDURE_URL." in ran.err


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused_ends_it_with_5(
    status: int, perdure: Perdure, gateway: ScriptedGateway
) -> None:
    gateway.on("GET", "/runs", problem(status, "", "No."))
    assert perdure("runs").code == 5


def test_ctrl_c_ends_the_talk_and_nothing_else(gateway: ScriptedGateway) -> None:
    async def interrupted(_: Gateway) -> None:
        raise KeyboardInterrupt

    context: Any = Context()
    with pytest.raises(typer.Exit) as ended:
        talk(context, interrupted)
    assert ended.value.exit_code == 130


def test_a_result_is_text_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    show({"a": 1}, False, lambda it: f"a is {it['a']}")
    assert capsys.readouterr().out == "a is 1\n"
    show({"a": 1}, True, str)
    assert json.loads(capsys.readouterr().out) == {"a": 1}


def test_what_happens_and_what_it_came_to_are_apart_unless_one_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen().say("happens")
    screen(one=True).say("here")
    assert capsys.readouterr() == ("here\n", "happens\n")


def test_a_test_is_no_terminal() -> None:
    assert not at_a_terminal()
