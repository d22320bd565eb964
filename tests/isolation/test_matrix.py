"""Every route and every id: what is not yours is answered as what is not there, by the same work."""

from pathlib import Path

import pytest

from perdure.app.selftest.trial import a_trial
from tests.isolation.gateway import a_gateway_of_many, hasten, stop
from tests.isolation.statements import Statements

pytestmark = pytest.mark.anyio


async def test_not_yours_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)
    work = Statements(monkeypatch)
    async with (
        a_gateway_of_many(tmp_path) as (app, url),
        a_trial(url, app.first_token, work=work, cleans=False) as trial,
    ):
        await trial.live()
        stop(app)
        await trial.probe()
        await trial.look_back()
    report = trial.report
    assert report.findings == []
    assert report.work > 100
