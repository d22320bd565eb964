"""What is found says how bad it is, and what mends it."""

from pathlib import Path

from perdure.app.doctor import findings
from perdure.app.findings import Level
from perdure.app.settings import read_settings
from tests.support.loopback import unused_port


def test_what_is_not_ok_says_what_mends_it(home: Path) -> None:
    home.mkdir(0o755)
    found = findings(read_settings(port=unused_port(), host="0.0.0.0", auth_token="weak"))
    assert {it.level for it in found} == set(Level)
    for it in found:
        assert bool(it.mend) == (it.level is not Level.OK), it
