"""An error ends the program with its exit code, and with the line that helps a newcomer."""

import sys
from pathlib import Path

import pytest

from perdure import errors
from perdure.app.failures import EXIT_CODES, exit_code, lines_of, program
from perdure.errors import GatewayError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.Unreachable(), 4),
        (errors.Unauthenticated(), 5),
        (errors.Forbidden(), 5),
        (errors.Invalid("an option"), 2),
        (errors.Invalid("a request", status=422), 1),
        (errors.RunNotFound(), 1),
        (errors.Unavailable(), 1),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: GatewayError, code: int) -> None:
    assert exit_code(error) == code
    assert code in EXIT_CODES


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (errors.Unreachable(), "Start one with `perdure serve`"),
        (errors.Unauthenticated(), "--token or PERDURE_TOKEN"),
        (errors.Forbidden(required_role="admin"), "It needs the role admin."),
        (errors.BundleNotFound(), "`perdure bundles list` shows what there is."),
        (errors.RunNotFound(), "`perdure runs` shows what there is."),
        (GatewayError("A bug.", status=500, instance="abc"), "The gateway's log has it under abc."),
        (
            errors.Invalid("No.", errors=[{"loc": ["body", "input_data", "x"], "msg": "too deep"}]),
            "  input_data.x: too deep",
        ),
    ],
)
def test_an_error_says_what_to_do_next(error: GatewayError, line: str) -> None:
    first, *more = lines_of(error, "perdure")
    assert first == error.detail
    assert any(line in it for it in more)


def test_an_error_that_says_it_all_says_no_more() -> None:
    assert lines_of(errors.Conflict("The run has ended."), "perdure") == ["The run has ended."]


def test_the_program_is_named_as_it_can_be_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "bin" / "perdure"
    here.parent.mkdir()
    here.write_text("#!/bin/sh\n")
    here.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(here)])
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    assert program() == "bin/perdure"
    monkeypatch.chdir("/")
    assert program() == str(here).lstrip("/")
    monkeypatch.chdir(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(here.parent))
    assert program() == "perdure"
