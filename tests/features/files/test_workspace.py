"""The workspace: what is in it can be reached, and nothing else, whatever the path and whatever lies there."""

import os
from pathlib import Path

import pytest

from perdure.features.files.workspace import FILE_BYTES_MAX, NotThere, Workspace, names_of

OUTSIDE = [
    "/etc/passwd", "..", "../x", "a/../../x", "a/b/..", "\\x", "a\\..\\x", "C:/x", "c:x", "", "  ", "a\x00b", "//x", "/", "a/" * 65,
]  # fmt: skip


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    """A workspace that nobody has written to, in a folder with a secret beside it."""
    (tmp_path / "secret").write_text("secret")
    return Workspace(tmp_path / "space")


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_that_would_lead_out_is_refused(space: Workspace, path: str) -> None:
    with pytest.raises(NotThere):
        space.write(path, b"x")
    with pytest.raises(NotThere):
        space.read(path)
    if path.strip():
        with pytest.raises(NotThere):
            space.entries(path, depth=1, limit=10)


@pytest.mark.parametrize("path", ["a.txt", "./a.txt", "a//b/./c.txt", "é", "...", "a..b"])
def test_what_was_written_is_read(space: Workspace, path: str) -> None:
    space.write(path, b"first")
    space.write(path, b"second")
    assert space.read(path) == b"second"


def test_only_the_names_count() -> None:
    assert names_of("./a//b/") == ("a", "b")


@pytest.mark.parametrize("link", ["file", "folder"])
def test_a_link_leads_nowhere(space: Workspace, tmp_path: Path, link: str) -> None:
    space.write("kept", b"kept")
    target = tmp_path / "secret" if link == "file" else tmp_path
    (tmp_path / "space" / "link").symlink_to(target)
    path = "link" if link == "file" else "link/secret"
    with pytest.raises(NotThere, match="cannot be reached"):
        space.read(path)
    assert [it.name for it in space.entries(".", depth=9, limit=99).entries] == ["kept"]
    if link == "folder":
        with pytest.raises(NotThere):
            space.write("link/new", b"x")
        assert not (tmp_path / "new").exists()


def test_writing_to_a_link_takes_its_place_and_leaves_what_it_led_to(
    space: Workspace, tmp_path: Path
) -> None:
    space.write("kept", b"kept")
    (tmp_path / "space" / "link").symlink_to(tmp_path / "secret")
    space.write("link", b"mine")
    assert space.read("link") == b"mine"
    assert (tmp_path / "secret").read_text() == "secret"


def test_what_is_no_file_is_not_read(space: Workspace, tmp_path: Path) -> None:
    space.write("folder/x", b"")
    os.mkfifo(tmp_path / "space" / "pipe")
    for path in ("folder", "pipe", "gone", "folder/x/y"):
        with pytest.raises(NotThere):
            space.read(path)
    with pytest.raises(NotThere):
        space.write("folder", b"x")
    assert sorted(os.listdir(tmp_path / "space")) == ["folder", "pipe"], "nothing half is left"


def test_a_file_has_a_bound(space: Workspace, tmp_path: Path) -> None:
    space.write("most", b"x" * FILE_BYTES_MAX)
    assert len(space.read("most")) == FILE_BYTES_MAX
    with pytest.raises(NotThere, match="at most"):
        space.write("more", b"x" * (FILE_BYTES_MAX + 1))
    (tmp_path / "space" / "more").write_bytes(b"x" * (FILE_BYTES_MAX + 1))
    with pytest.raises(NotThere, match="more than"):
        space.read("more")


def test_what_is_said_names_no_path_of_the_server(space: Workspace, tmp_path: Path) -> None:
    for path in ("gone", "a/b"):
        with pytest.raises(NotThere) as said:
            space.read(path)
        assert str(tmp_path) not in str(said.value)


def test_a_listing_has_a_depth_and_a_limit(space: Workspace) -> None:
    for path in ("a/b/c", "a/x", "d"):
        space.write(path, b"12")
    assert [it.path for it in space.entries(".", depth=1, limit=9).entries] == ["a", "d"]
    assert [it.path for it in space.entries("", depth=9, limit=9).entries] == ["a", "a/b", "a/b/c", "a/x", "d"]  # fmt: skip
    cut = space.entries("a", depth=9, limit=1)
    assert ([it.path for it in cut.entries], cut.truncated) == (["a/b"], True)
    assert space.entries("a", depth=1, limit=9).entries[1].size_bytes == 2
