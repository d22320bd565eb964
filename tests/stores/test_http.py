"""The truth about calls without an answer."""

from perdure.stores.http import HttpFailed


def test_a_call_without_an_answer_says_whether_it_was_sent() -> None:
    """A retry hangs on it; the text is for people."""
    failed = HttpFailed("timeout", "no answer within 5 s", sent=True)
    assert (failed.code, failed.sent) == ("timeout", True)
    assert str(failed) == "timeout: no answer within 5 s"
    assert not HttpFailed("refused", "nobody listens", sent=False).sent
