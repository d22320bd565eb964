"""Tokens: written, read, known by what is kept of them, and good until they are not."""

from dataclasses import replace

import pytest

from perdure.identity.tokens import (
    Token,
    digest_of,
    fingerprint_of,
    is_good,
    is_right,
    read_token,
    text_of_token,
)
from perdure.ids import TenantId, TokenId, UserId, new_secret

PEPPER = bytes(32)
NOW = "2026-01-01T00:00:00.000000+00:00"
BEFORE, AFTER = "2025-12-31T23:59:59.000000+00:00", "2026-01-01T00:00:01.000000+00:00"
ID, SECRET = TokenId("Zm9vYmFyYmF6cXV4"), "s3cr3t-words_that-are_forty-three_letters-long"[:43]
TOKEN = Token(
    ID, TenantId("acme"), UserId("alice"), "default", digest_of(PEPPER, SECRET),
    fingerprint_of(PEPPER, SECRET), NOW,
)  # fmt: skip


def test_a_token_is_read_as_it_was_written() -> None:
    assert read_token(text_of_token(ID, SECRET)) == (ID, SECRET)
    assert len(text_of_token(ID, SECRET)) == 64


@pytest.mark.parametrize(
    "text",
    [
        "", "agw_", "a", SECRET, f"agw_{ID}{SECRET}", f"agw_{ID}_{SECRET}x", f"agw_{ID}_{SECRET[1:]}",
        f"AGW_{ID}_{SECRET}", f" agw_{ID}_{SECRET}", f"agw_{ID}_{SECRET}\n", f"agw_{ID}_{'ä' * 43}",
    ],
)  # fmt: skip
def test_what_is_no_token_is_not_read(text: str) -> None:
    assert read_token(text) is None


def test_promise_07_what_is_kept_says_nothing_without_the_pepper() -> None:
    other = bytes(31) + b"1"
    assert digest_of(PEPPER, SECRET) != digest_of(other, SECRET)
    assert fingerprint_of(PEPPER, SECRET) != fingerprint_of(other, SECRET)
    assert not digest_of(PEPPER, SECRET).hex().startswith(fingerprint_of(PEPPER, SECRET))


def test_a_token_is_right_with_its_secret_alone() -> None:
    assert is_right(TOKEN, PEPPER, SECRET, now=NOW)
    assert not is_right(TOKEN, PEPPER, new_secret(), now=NOW)
    assert not is_right(TOKEN, bytes(31) + b"1", SECRET, now=NOW)
    assert not is_right(None, PEPPER, SECRET, now=NOW)


@pytest.mark.parametrize(
    ("changes", "good"),
    [
        ({}, True),
        ({"expires_at": AFTER}, True), ({"expires_at": NOW}, False), ({"expires_at": BEFORE}, False),
        ({"overlap_until": AFTER}, True), ({"overlap_until": NOW}, False),
        ({"expires_at": AFTER, "overlap_until": BEFORE}, False), ({"revoked_at": BEFORE}, False),
    ],
)  # fmt: skip
def test_a_token_is_good_until_it_expires_is_replaced_or_revoked(
    changes: dict[str, str], good: bool
) -> None:
    token = replace(TOKEN, **changes)  # type: ignore[arg-type]  # times of a token
    assert is_good(token, NOW) is good
    assert is_right(token, PEPPER, SECRET, now=NOW) is good
