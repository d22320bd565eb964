"""Every route and every id: what is not yours is answered as what is not there, by the same work."""

from pathlib import Path

import pytest

from perdure.app.selftest.report import Report
from perdure.app.selftest.trial import a_trial
from tests.isolation.gateway import a_gateway_of_many, hasten, stop
from tests.isolation.statements import Statements
from tests.support.postgres import new_database

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]  # on a busy machine

ASKERS = ["bob", "mallory", "nobody"]
FEW = "run"  # of the routes: what comes before the stores is one code for both databases


async def tried(folder: Path, monkeypatch: pytest.MonkeyPatch, **given: str) -> Report:
    """A trial that counts the work, of all routes or of those with `only` in them."""
    hasten(monkeypatch)
    work, only = Statements(monkeypatch), given.pop("only", "")
    async with (
        a_gateway_of_many(folder, **given) as (app, url),
        a_trial(url, app.first_token, work=work, only=only, cleans=False) as trial,
    ):
        await trial.live()
        stop(app)
        await trial.probe()
        await trial.look_back()
    return trial.report


def askers(report: Report) -> list[str]:
    """Who asked, by the name of their part."""
    return sorted(it.removeprefix("selftest-").partition("-")[0] for it in report.askers)


async def test_not_yours_is_answered_as_not_there_by_the_same_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = await tried(tmp_path, monkeypatch)
    assert report.findings == []
    assert askers(report) == ASKERS
    assert report.work == sum(report.compared.values()) > 450
    assert report.left_out == []


async def test_the_same_holds_on_postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = await tried(tmp_path, monkeypatch, database_url=new_database(), only=FEW)
    assert report.findings == []
    assert askers(report) == ASKERS
    assert report.work == sum(report.compared.values()) > 200
