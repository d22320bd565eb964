"""Which features there are: the shipped ones, those of other installed packages, less those that are off."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest

from perdure.adapters.egress import Egress
from perdure.app.features import GROUP, features_of
from perdure.app.settings import read_settings
from perdure.errors import Conflict, Invalid
from perdure.features.echo.program import make
from perdure.registry.feature import Feature
from tests.support.built import built

pytestmark = pytest.mark.anyio
SHIPPED = {"agents", "code", "echo", "files", "flows", "models", "schedules", "travel"}


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    """The outgoing client."""
    one = Egress()
    yield one
    await one.close()


def names(egress: Egress, **given: str) -> list[str]:
    """The features by name."""
    return [feature.name for feature in features_of(read_settings(**given), egress)]


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, brought: object) -> None:
    """Have another package on the path that names something as a feature."""
    facts = folder / "another-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: another\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[{GROUP}]\nextra = another_package:brought\n")
    package = ModuleType("another_package")
    package.__dict__["brought"] = brought
    monkeypatch.setitem(__import__("sys").modules, "another_package", package)
    monkeypatch.syspath_prepend(folder)


async def test_the_shipped_ones_are_there(egress: Egress) -> None:
    assert set(names(egress)) == SHIPPED


async def test_some_may_be_left_out(egress: Egress) -> None:
    assert set(names(egress, features_off="models, echo")) == {
        "agents",
        "code",
        "files",
        "flows",
        "schedules",
        "travel",
    }


async def test_one_that_is_not_there_cannot_be_left_out(egress: Egress) -> None:
    with pytest.raises(
        Invalid,
        match=r"no feature 'flow' .* agents, code, echo, files, flows, models, schedules, travel",
    ):
        features_of(read_settings(features_off="flow"), egress)


async def test_an_installed_package_brings_its_own(
    egress: Egress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, Feature("extra"))
    assert set(names(egress)) == SHIPPED | {"extra"}
    assert set(names(egress, features_off="extra")) == SHIPPED


async def test_what_is_named_as_a_feature_and_is_none_is_refused(
    egress: Egress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "no feature")
    with pytest.raises(Invalid, match="another_package:brought"):
        features_of(read_settings(), egress)


async def test_two_that_bring_the_same_do_not_start(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, Feature("extra", programs={"flow": make}))
    with pytest.raises(Conflict, match="'flow'"):
        async with built(home):
            raise AssertionError
