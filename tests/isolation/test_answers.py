"""When two answers are the same, and what stands in for an id that is not there."""

import pytest

from perdure.app.selftest.answers import Answer, difference, like, told

TYPE = ("content-type", "application/problem+json")


def refusal(run: str, request: str, detail: str = "There is no such run.") -> Answer:
    body = f'{{"detail":"{detail}","asked":"{run}","instance":"{request}"}}'
    return Answer(404, (TYPE, ("x-request-id", request), ("date", f"at {request}")), body)


def test_the_asked_id_the_request_and_the_date_are_no_difference() -> None:
    one, other = refusal("selftest-run-aaaaaaaa", "r1"), refusal("selftest-run-bbbbbbbb", "r2")
    assert difference(one, other) is not None
    one, other = told(one, ["selftest-run-aaaaaaaa"]), told(other, ["selftest-run-bbbbbbbb"])
    assert difference(one, other) is None


@pytest.mark.parametrize(
    "other",
    [
        refusal("a", "r")._replace(status=403),
        refusal("a", "r", "It is another's."),
        refusal("a", "r")._replace(headers=(TYPE, ("etag", "1"))),
        refusal("a", "r")._replace(headers=(("content-type", "text/plain"),)),
    ],
)
def test_all_else_is_a_difference(other: Answer) -> None:
    assert difference(told(refusal("a", "r")), told(other)) is not None


def test_of_a_refusal_nothing_else_is_masked() -> None:
    at = "2026-11-21T10:00:00.000000+00:00"
    assert at in told(refusal("a", "r", at)).body
    assert at not in told(refusal("a", "r", at)._replace(status=200)).body


def test_what_grows_by_a_success_is_left_out() -> None:
    answer = Answer(200, (), '{"id":"a","all":["a","b"]}')
    assert told(answer, grows=["all"]).body == '{"id":"a"}'


@pytest.mark.parametrize(
    "text",
    ["selftest-alice-abcdefgh", "default", "8K5skTpVUugmI1HZ", "1.27393714.3139", "flow-0123abcdef99", "ask"],
)  # fmt: skip
def test_what_is_not_there_looks_like_what_is(text: str) -> None:
    other = like(text)
    assert other != text
    assert len(other) == len(text)
    assert [it.isdigit() for it in other] == [it.isdigit() for it in text]


def test_a_uuid_becomes_another() -> None:
    run = "01a1feb2-68b5-7052-be53-832714ceddcd"
    assert like(run) != run
    assert len(like(run)) == len(run)
