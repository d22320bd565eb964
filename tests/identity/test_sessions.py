"""Browser sessions: how long one is good, whatever its cookie says."""

from dataclasses import replace

import pytest

from perdure.identity.sessions import (
    BrowserSession,
    SessionLife,
    Standing,
    digest_of,
    end_of,
    standing_of,
)
from perdure.ids import TenantId, TokenId, UserId

BEGAN = "2026-01-01T00:00:00.000000+00:00"
SESSION = BrowserSession(
    digest_of("s"), "h", TenantId("acme"), UserId("alice"), TokenId("t"), digest_of("c"), False, BEGAN,
    BEGAN, "2026-01-01T08:00:00.000000+00:00", 3_600, "", "",
)  # fmt: skip


def at(time: str) -> str:
    """A time of that day."""
    return f"2026-01-01T{time}.000000+00:00"


@pytest.mark.parametrize(
    ("remember", "token_ends", "ends"),
    [
        (False, None, at("08:00:00")),
        (True, None, "2026-01-31T00:00:00.000000+00:00"),
        (False, at("02:00:00"), at("02:00:00")),
        (False, at("09:00:00"), at("08:00:00")),
    ],
)
def test_promise_24_a_session_ends_at_its_time_and_never_after_its_token(
    remember: bool, token_ends: str | None, ends: str
) -> None:
    assert end_of(BEGAN, SessionLife(), remember=remember, token_expires_at=token_ends) == ends


@pytest.mark.parametrize(
    ("seen", "now", "standing"),
    [
        ("00:00:00", "00:59:59", Standing.GOOD),
        ("00:00:00", "01:00:00", Standing.EXPIRED),
        ("07:30:00", "07:59:59", Standing.GOOD),
        ("07:30:00", "08:00:00", Standing.EXPIRED),
    ],
)
def test_promise_24_a_session_expires_when_it_is_over_or_nobody_used_it(
    seen: str, now: str, standing: Standing
) -> None:
    assert standing_of(replace(SESSION, last_seen_at=at(seen)), at(now)) is standing


def test_a_session_that_was_ended_is_told_from_one_that_expired() -> None:
    ended = replace(SESSION, revoked_at=BEGAN)
    assert standing_of(ended, BEGAN) is Standing.REVOKED
    assert standing_of(ended, at("23:00:00")) is Standing.REVOKED
