"""The route that tries out code: the wire's shape, bounds on what comes in, and an entry in the audit."""

from pathlib import Path

import pytest

from perdure.features.code.feature import code_feature
from tests.support.gateway import Options, a_gateway
from tests.support.sandboxes import BOUNDS, a_sandbox, function_of

pytestmark = pytest.mark.anyio
PATH = "/visualflows/code/simulate"


async def test_code_is_tried_out(tmp_path: Path) -> None:
    with a_sandbox(BOUNDS) as sandbox:
        options = Options(features=[code_feature(sandbox)], runs=False)
        async with a_gateway(tmp_path, options) as gateway:
            body = {"code": function_of("print('seen')\nreturn given['a'] + 1"), "input": {"a": 1}}
            answer = (await gateway.post(PATH, body)).json()
            failed = (await gateway.post(PATH, {"code": "x ="})).json()
            odd = await gateway.post(PATH, {"code": function_of(r"raise ValueError('\ud800')")})
            missing = await gateway.post(PATH, {"input": 1})
            found = (await gateway.get("/discovery/capabilities")).json()
    told = found["capabilities"]["contracts"]["common"]["execution"]["code"]
    assert told == {"available": True, "modes": [], "sandbox": "landlock"}
    assert (answer["ok"], answer["output"], answer["error"]) == (True, 2, None)
    assert set(answer) == {"ok", "success", "output", "execution", "error", "diagnostics"}
    assert answer["execution"]["duration_ms"] > 0 and answer["diagnostics"]["printed"] == "seen\n"
    assert failed["ok"] is False and failed["diagnostics"]["phase"] == "compile"
    assert (odd.status_code, odd.json()["error"]) == (200, "ValueError: ?")
    assert missing.status_code == 422
