"""`perdure doctor` prints each finding with what mends it, and ends with 1 if something is wrong."""

import json
from pathlib import Path

from tests.app.conftest import Perdure
from tests.support.loopback import unused_port


def test_a_machine_in_order_ends_with_0(perdure: Perdure) -> None:
    ran = perdure("doctor", "--json")
    found = json.loads(ran.out)
    assert ran.code == 0
    assert {it["level"] for it in found} <= {"ok", "warning"}


def test_what_is_wrong_comes_with_the_line_that_mends_it(perdure: Perdure, home: Path) -> None:
    home.mkdir(0o700)
    (home / "token").write_text("agw_x")
    (home / "token").chmod(0o644)
    ran = perdure("doctor")
    assert ran.code == 1
    assert f"wrong   token: other accounts can read {home}/token\n" in ran.out
    assert f"        mend: chmod 600 {home}/token\n" in ran.out


def test_the_gateway_that_is_named_is_looked_for(perdure: Perdure) -> None:
    url = f"http://127.0.0.1:{unused_port()}"
    ran = perdure("--url", url, "doctor")
    assert ran.code == 1
    assert f"No gateway answers at {url}" in ran.out
