"""A folder is gone with all that is in it, and nothing beside it was touched."""

import os
from pathlib import Path

import pytest

from perdure.adapters.disk.erase import erase
from perdure.errors import StoreFailed


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a folder to be deleted, and one beside it."""
    for name in ("planes/acme/gone", "planes/acme/stays", "elsewhere"):
        (tmp_path / name / "below").mkdir(parents=True)
        (tmp_path / name / "below" / "file").write_text(name)
    return tmp_path / "planes"


def files_of(folder: Path) -> set[str]:
    """What lies in a folder, by relative paths."""
    return {str(it.relative_to(folder)) for it in folder.rglob("*")}


def test_a_folder_is_gone_and_its_neighbour_stays(root: Path) -> None:
    erase(root, root / "acme" / "gone")
    erase(root, root / "acme" / "gone")  # twice is as good as once
    assert files_of(root) == {"acme", "acme/stays", "acme/stays/below", "acme/stays/below/file"}


def test_promise_84_links_inside_are_taken_away_and_never_followed(root: Path) -> None:
    elsewhere = root.parent / "elsewhere"
    (root / "acme" / "gone" / "out").symlink_to(elsewhere)
    (root / "acme" / "gone" / "below" / "up").symlink_to("../../../..")
    os.link(elsewhere / "below" / "file", root / "acme" / "gone" / "hard")
    erase(root, root / "acme" / "gone")
    assert not (root / "acme" / "gone").exists()
    assert (elsewhere / "below" / "file").read_text() == "elsewhere"


@pytest.mark.parametrize(
    "place", [".", "..", "../elsewhere", "acme/../../elsewhere", "/", "acme/gone/.."]
)
def test_promise_84_nothing_outside_the_root_is_deleted(root: Path, place: str) -> None:
    before = files_of(root.parent)
    with pytest.raises(StoreFailed):
        erase(root, root / place)
    assert files_of(root.parent) == before


@pytest.mark.parametrize("link", ["acme", "acme/gone"])
def test_promise_84_a_link_on_the_way_is_refused(root: Path, link: str) -> None:
    moved = root.parent / "moved"
    (root / link).rename(moved)
    (root / link).symlink_to(moved)
    before = files_of(moved)
    with pytest.raises(StoreFailed, match="a link stands on the way"):
        erase(root, root / "acme" / "gone")
    assert files_of(moved) == before


def test_promise_84_another_file_system_inside_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        found = real(path)
        fields = list(found)
        fields[2] = found.st_dev + (path.name == "below")
        return os.stat_result(fields)

    monkeypatch.setattr(Path, "lstat", lstat)
    with pytest.raises(StoreFailed, match="mounted inside"):
        erase(root, root / "acme" / "gone")
    monkeypatch.undo()
    assert (root / "acme" / "gone" / "below" / "file").exists()
