"""A bug is kept from spreading, and told."""

from perdure.runtimes.containing import containing


def test_a_bug_is_named_and_goes_no_further() -> None:
    """The name of the exception, never its text: that may hold what is another's."""
    with containing("work") as contained:
        raise ValueError("secret")
    assert contained.bug == "ValueError"


def test_work_that_ends_well_has_no_bug() -> None:
    """Nothing is said of it."""
    with containing("work") as contained:
        pass
    assert contained.bug is None
