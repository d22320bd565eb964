"""Two cookies with the right bounds; what was not set here is no session."""

import pytest

from perdure.api.cookies import (
    VALUE_LETTERS_MAX,
    CookieNames,
    checked_name,
    checked_value,
    cookies_gone,
    cookies_of_session,
    value_in,
)
from perdure.errors import Invalid, Unauthenticated

NAMES = CookieNames()
HELD = CookieNames(held_to_host=True)


def made(
    names: CookieNames, *, secure: bool, max_age_s: int | None = None
) -> tuple[set[str], set[str]]:
    """The parts of both cookies."""
    both = cookies_of_session(names, "agws_a.b", "agcsrf_c", secure=secure, max_age_s=max_age_s)
    assert [name for name, _ in both] == [b"set-cookie"] * 2
    session, csrf = (set(value.decode().split("; ")) for _, value in both)
    return session, csrf


def test_promise_19_the_session_s_cookie_is_for_the_server_alone() -> None:
    session, _ = made(NAMES, secure=False)
    assert session == {"abstractgateway_session=agws_a.b", "HttpOnly", "Path=/", "SameSite=lax"}
    assert made(NAMES, secure=True)[0] == session | {"Secure"}


def test_promise_20_the_csrf_cookie_is_readable_and_like_the_other_in_all_else() -> None:
    session, csrf = made(NAMES, secure=False)
    assert csrf == {"abstractgateway_csrf=agcsrf_c", "Path=/", "SameSite=lax"}
    assert made(NAMES, secure=True)[1] == csrf | {"Secure"}
    assert "HttpOnly" in session


def test_promise_21_only_a_remembered_session_says_how_long_it_is_kept() -> None:
    for one in made(NAMES, secure=False):
        assert not [part for part in one if part.startswith(("Max-Age", "Expires"))]
    for one in made(NAMES, secure=False, max_age_s=60):
        assert "Max-Age=60" in one


def test_with_tls_cookies_can_be_held_to_their_host() -> None:
    session, csrf = made(HELD, secure=True)
    assert session >= {"__Host-abstractgateway_session=agws_a.b", "Secure", "Path=/"}
    assert "__Host-abstractgateway_csrf=agcsrf_c" in csrf
    assert "abstractgateway_session=agws_a.b" in made(HELD, secure=False)[0]


def test_what_is_forgotten_has_no_value_and_no_time() -> None:
    for _, value in cookies_gone(NAMES, secure=True):
        assert value.split(b"; ")[0].endswith(b"=")
        assert b"Max-Age=0" in value


def test_a_cookie_is_found_among_others_by_its_whole_name() -> None:
    sent = b'a=1; xsession=2; session=3 ; sessionx=4; =; b; "session"=5'
    assert value_in(sent, "session") == "3"
    assert value_in(sent, "never") is None
    assert value_in(b"", "session") is None
    assert value_in(b"session", "session") is None


HOSTILE = {
    "two": b"s=a.b; s=a.b", "empty": b"s=", "huge": b"s=" + b"x" * (VALUE_LETTERS_MAX + 1),
    "quoted": b's="a.b"', "a space": b"s=a b", "a NUL": b"s=a\x00b", "not ASCII": b"s=\xff\xfe",
    "a comma": b"s=a,b", "an escape": b"s=a\\b", "many": b"s=1;" * 5_000,
}  # fmt: skip


@pytest.mark.parametrize("sent", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_cookie_is_no_session(sent: bytes) -> None:
    with pytest.raises(Unauthenticated):
        value_in(sent, "s")


@pytest.mark.parametrize("value", ["", " ", "a b", "x" * (VALUE_LETTERS_MAX + 1), "\xff", "a;b"])
def test_nor_is_a_hostile_header(value: str) -> None:
    with pytest.raises(Unauthenticated):
        checked_value(value)
    assert checked_value("agws_a.b") == "agws_a.b"


@pytest.mark.parametrize("text", ["", "a b", "a;b", "a=b", "a\r\nb", "ü", "x" * 101])
def test_a_name_that_can_be_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        checked_name(text)
    assert checked_name("my_session-1") == "my_session-1"
