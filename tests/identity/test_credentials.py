"""One token, one local admin; a wrong token is nobody, and no token is kept or shown."""

import gc

import pytest

from perdure.errors import Unauthenticated
from perdure.identity.credentials import SingleToken, bearer_of, local_admin

pytestmark = pytest.mark.anyio
KEY = b"an installation's own key"


async def test_the_token_is_the_local_admin_s() -> None:
    principal = await SingleToken(["secret"], KEY).principal_of("secret")
    assert principal is not None
    assert (principal.tenant, principal.user) == ("local", "local-admin")
    assert (principal.runtime_tenant, principal.runtime) == ("default", "admin")
    assert principal.admin
    assert principal.scopes == ("*",)


@pytest.mark.parametrize("shown", ["", "secre", "secret ", "Secret", "secret\ud800", "x" * 5_000])
async def test_any_other_token_is_nobody(shown: str) -> None:
    assert await SingleToken(["secret"], KEY).principal_of(shown) is None


async def test_several_tokens_may_be_good_at_once() -> None:
    credentials = SingleToken(["old", "new"], KEY)
    assert await credentials.principal_of("old") is not None
    assert await credentials.principal_of("new") is not None


async def test_without_a_token_nobody_comes_in() -> None:
    credentials = SingleToken([""], KEY)
    assert await credentials.principal_of("") is None


async def test_there_are_no_browser_sessions_of_the_installation_itself() -> None:
    with pytest.raises(Unauthenticated):
        await SingleToken(["secret"], KEY).principal_of_session("secret")


async def test_the_token_is_not_kept() -> None:
    credentials = SingleToken(["-".join(["never", "kept"])], KEY)
    kept = [it for it in gc.get_referents(credentials.__dict__) if "never-kept" in repr(it)]
    assert kept == []


async def test_the_fingerprint_cannot_be_tried_without_the_key() -> None:
    first = await SingleToken(["secret"], KEY).principal_of("secret")
    other = await SingleToken(["secret"], b"another key").principal_of("secret")
    assert first is not None
    assert other is not None
    assert first.fingerprint != other.fingerprint
    assert len(first.fingerprint) == len(other.fingerprint) == 12


def test_the_plane_is_that_of_the_first_admin() -> None:
    assert local_admin("f").runtime_tenant == "default"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic abc", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("", None),
        (None, None),
    ],
)
def test_a_bearer_is_read_from_its_header(header: str | None, token: str | None) -> None:
    assert bearer_of(header) == token
