"""Every route and every id: what is not yours is answered as what is not there, by the same work."""

from pathlib import Path

import pytest

from perdure.app.selftest.report import Report
from perdure.app.selftest.trial import a_trial
from tests.isolation.gateway import a_gateway_of_many, hasten, stop
from tests.isolation.statements import Statements
from tests.support.planes import DATABASES
from tests.support.postgres import new_database

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]  # on a busy machine

ASKERS = ["bob", "mallory", "nobody"]


async def tried(folder: Path, monkeypatch: pytest.MonkeyPatch, **given: str) -> Report:
    """A trial of all routes that counts the work."""
    hasten(monkeypatch)
    work = Statements(monkeypatch)
    async with (
        a_gateway_of_many(folder, **given) as (app, url),
        a_trial(url, app.first_token, work=work, cleans=False) as trial,
    ):
        await trial.live()
        stop(app)
        await trial.probe()
        await trial.look_back()
    return trial.report


def askers(report: Report) -> list[str]:
    """Who asked, by the name of their part."""
    return sorted(it.removeprefix("selftest-").partition("-")[0] for it in report.askers)


@pytest.mark.parametrize("database", DATABASES)
async def test_not_yours_is_answered_as_not_there_by_the_same_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    given = {} if database == "sqlite" else {"database_url": new_database()}
    report = await tried(tmp_path, monkeypatch, **given)
    assert report.findings == []
    assert askers(report) == ASKERS
    assert report.work == sum(report.compared.values()) > 600
    assert report.left_out == []
