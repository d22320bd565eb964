"""What the code in the sandbox is given and how its answer is told; run bare here, on code of our own."""

import json
import subprocess
import sys

from perdure.features.code.sandbox.sandbox import EXECUTION, INSIDE
from perdure.kernel.values import Json


def told(source: str, given: Json = None, function: str | None = "transform") -> Json:
    """The answer to an order."""
    order = json.dumps({"source": source, "function": function, "input": given}).encode()
    ran = subprocess.run(
        [sys.executable, "-I", "-S", str(INSIDE)], input=order, capture_output=True, check=True
    )
    return json.loads(ran.stdout)


def test_a_function_is_called_with_its_input() -> None:
    answer = told("def transform(given):\n    return [given['n'] + 1]", {"n": 1})
    assert answer["ok"] is True and answer["output"] == [2]
    assert set(answer["execution"]) == set(EXECUTION)


def test_an_expression_sees_its_inputs_by_name() -> None:
    assert told("a + b + len(x)", {"a": 1, "b": 2, "not a name": 3}, None)["output"] == 6


def test_an_error_is_told_with_its_line() -> None:
    answer = told("def transform(given):\n    x = 1\n    return x / 0")
    assert answer["ok"] is False and answer["line"] == 3
    assert answer["error"] == "ZeroDivisionError: division by zero"


def test_code_that_is_no_python_is_told_with_its_line() -> None:
    answer = told("x = 1\ndef (")
    assert answer["error"].startswith("SyntaxError") and answer["line"] == 2


def test_a_function_that_is_not_there_is_named() -> None:
    assert "no function 'transform'" in told("x = 1")["error"]


def test_what_is_printed_is_not_the_answer() -> None:
    assert told("print('{}')\ndef transform(given):\n    return 1")["output"] == 1


def test_a_value_that_is_no_json_is_an_error_of_the_code() -> None:
    assert told("def transform(given):\n    return {1}")["error"].startswith("TypeError")
    assert told("def transform(given):\n    return float('inf')")["ok"] is False


def test_it_imports_nothing_of_the_program() -> None:
    assert "perdure" not in INSIDE.read_text()


def test_an_error_that_does_not_say_what_it_is_has_a_name_all_the_same() -> None:
    source = "class Mute(Exception):\n    def __str__(self): raise self\ndef transform(given): raise Mute"
    assert told(source)["error"] == "Mute"
