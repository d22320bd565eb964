"""Where planes lie: each in a folder of its own, and none outside."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from perdure.ids import RuntimeId, TenantId
from perdure.runtimes.folders import plane_folder

DATA = Path("/data")
NAMES = st.text(min_size=1, max_size=80) | st.sampled_from(["..", ".", "/", "a/b", "~", "A", "a"])


def test_plain_names_are_their_folders() -> None:
    assert (
        plane_folder(DATA, TenantId("default"), RuntimeId("admin")) == DATA / "planes/default/admin"
    )


@given(NAMES, NAMES)
def test_no_plane_leaves_the_folder_of_planes(tenant: str, runtime: str) -> None:
    folder = plane_folder(DATA, TenantId(tenant), RuntimeId(runtime))
    assert folder.parent.parent == DATA / "planes"
    assert not {"..", ".", ""} & set(folder.parts[2:])


@given(NAMES, NAMES)
def test_two_planes_have_two_folders_also_where_case_means_nothing(one: str, other: str) -> None:
    tenant = TenantId("t")
    folders = {str(plane_folder(DATA, tenant, RuntimeId(it))).lower() for it in (one, other)}
    assert len(folders) == len({one, other})
