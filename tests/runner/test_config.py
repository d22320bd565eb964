"""The runner's numbers."""

from perdure.runner.config import RunnerConfig, no_probe


def test_a_lease_outlives_the_pause_between_two_renewals() -> None:
    """Renewals come every third of a lease, so two may be lost."""
    config = RunnerConfig(holder="h")
    assert config.lease_s / 3 * 2 < config.lease_s < 60


def test_the_probe_does_nothing_outside_crash_tests() -> None:
    """Nothing is killed in production."""
    config = RunnerConfig(holder="h")
    config.probe("after_act")
    assert config.probe is no_probe
