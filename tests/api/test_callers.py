"""A caller is known by a token, or by a session whose page proves what it means; never by both."""

from dataclasses import dataclass, replace
from hashlib import sha256

import pytest
from msgspec import structs

from perdure.api.callers import Caller, Callers, check_site, shown_in
from perdure.api.cookies import CookieNames
from perdure.api.lockout import Lockout
from perdure.api.proxies import Seen
from perdure.errors import Forbidden, TooMany, Unauthenticated
from perdure.identity.credentials import SessionFound, SingleToken, local_admin
from perdure.identity.principal import Principal
from tests.support.clock import FakeClock

pytestmark = pytest.mark.anyio
SEEN = Seen("10.0.0.1", "gate", secure=False)
BOB = replace(local_admin("f"), credential="session:h")
CSRF = b"agcsrf_right"
COOKIE = b"abstractgateway_session=agws_good.mark"


@dataclass
class OneOfEach:
    """Lets one token and one session in."""

    mode: str = "users"

    async def principal_of(self, token: str) -> Principal | None:
        """The admin."""
        return local_admin("f") if token == "right" else None

    async def principal_of_session(self, value: str) -> SessionFound:
        """Bob."""
        if value != "agws_good.mark":
            raise Unauthenticated(reason_code="session_expired")
        return SessionFound(BOB, sha256(CSRF).digest())

    async def sign_in(self, user: str, token: str) -> Principal:
        """Nobody."""
        raise Unauthenticated


def callers(after: int = 2) -> Callers:
    """Callers that are known, and locked out after two failures."""
    return Callers(OneOfEach(), CookieNames(), Lockout(FakeClock(), after, 60, 60))


async def test_promise_03_a_principal_comes_from_its_credential_alone() -> None:
    known = Callers(SingleToken(["secret"], b"k"), CookieNames(), Lockout(FakeClock(), 5, 1, 1))
    found = await known.find({b"authorization": b"Bearer secret"}, secure=False)
    assert found.principal.user == "local-admin"
    assert found.csrf_digest is None
    for headers in ({}, {b"authorization": b"Basic secret"}, {b"authorization": b"Bearer other"}):
        with pytest.raises(Unauthenticated) as refused:
            await known.find(headers, secure=False)
        assert refused.value.facts == {"reason_code": "unauthenticated"}


async def test_promise_23_beside_a_bearer_no_session_is_looked_at() -> None:
    known = callers()
    both = {b"authorization": b"Bearer right", b"cookie": COOKIE}
    assert (await known.find(both, secure=False)).principal.credential == "legacy"
    with pytest.raises(Unauthenticated):
        await known.find({**both, b"authorization": b"Bearer wrong"}, secure=False)


async def test_a_session_is_found_in_its_header_before_its_cookie() -> None:
    known = callers()
    by_cookie = await known.find({b"cookie": COOKIE}, secure=False)
    assert by_cookie == Caller(BOB, sha256(CSRF).digest(), by_cookie=True)
    shown = {b"x-abstractgateway-session": b"agws_good.mark", b"cookie": b"abstractgateway_session=no"}  # fmt: skip
    assert not (await known.find(shown, secure=False)).by_cookie
    shown[b"x-abstractgateway-session"] = b"agws_other.mark"
    with pytest.raises(Unauthenticated) as refused:
        await known.find({**shown, b"cookie": COOKIE}, secure=False)
    assert refused.value.facts["reason_code"] == "session_expired"


def test_wrong_tokens_are_counted_and_sessions_that_are_over_are_not() -> None:
    known = callers(after=2)
    for _ in range(9):
        known.failed({b"x-abstractgateway-session": b"agws_old.mark"}, SEEN)
    wrong = {b"authorization": b"Bearer wrong"}
    known.failed(wrong, SEEN)
    known.failed(wrong, SEEN)
    with pytest.raises(TooMany):
        known.failed(wrong, SEEN)
    known.failed({b"authorization": b"Bearer another"}, SEEN)


def test_failures_of_a_user_s_token_are_counted_under_its_part_that_is_no_secret() -> None:
    token = "agw_" + "i" * 16 + "_" + "s" * 43
    assert shown_in({b"authorization": b"Bearer " + token.encode()}) == f"token:{'i' * 16}"
    assert shown_in({b"authorization": b"Bearer else"}) == "else"
    for headers in ({}, {b"authorization": b"Basic x"}, {b"authorization": b"Bearer "}):
        assert shown_in(headers) is None


def test_promise_22_what_a_session_changes_is_proven_by_its_own_csrf_token() -> None:
    known, caller = callers(), Caller(BOB, sha256(CSRF).digest())
    for method in ("POST", "PUT", "PATCH", "DELETE", "QUERY", "post"):
        for shown in (
            {},
            {b"x-abstractgateway-csrf": b""},
            {b"x-abstractgateway-csrf": CSRF + b"x"},
        ):
            with pytest.raises(Forbidden) as refused:
                known.check_intent(caller, method, shown)
            assert refused.value.facts == {"reason_code": "csrf_required"}
        known.check_intent(caller, method, {b"x-abstractgateway-csrf": CSRF})
    for method in ("GET", "HEAD", "OPTIONS"):
        known.check_intent(caller, method, {})
    known.check_intent(Caller(BOB), "POST", {})


def test_who_shows_a_cookie_unasked_comes_from_here() -> None:
    crossing = {b"sec-fetch-site": b"cross-site"}
    by_cookie = Caller(BOB, sha256(CSRF).digest(), by_cookie=True)
    with pytest.raises(Forbidden):
        callers().check_intent(by_cookie, "GET", crossing)
    callers().check_intent(structs.replace(by_cookie, by_cookie=False), "GET", crossing)
    callers().check_intent(Caller(BOB), "GET", crossing)


@pytest.mark.parametrize("site", [b"cross-site", b"same-site", b"banana", b"", b"Same-Origin"])
def test_any_other_site_is_refused_unless_a_person_follows_a_link(site: bytes) -> None:
    headers = {b"sec-fetch-site": site}
    follows = {**headers, b"sec-fetch-mode": b"navigate", b"sec-fetch-dest": b"document"}
    check_site("GET", follows)
    for method, sent in (("GET", headers), ("POST", follows), ("GET", {**follows, b"sec-fetch-dest": b"iframe"})):  # fmt: skip
        with pytest.raises(Forbidden) as refused:
            check_site(method, sent)
        assert refused.value.facts == {"reason_code": "cross_site"}


def test_what_is_from_here_or_says_no_site_passes() -> None:
    for headers in ({}, {b"sec-fetch-site": b"same-origin"}, {b"sec-fetch-site": b"none"}):
        check_site("POST", headers)
