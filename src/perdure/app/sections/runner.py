"""The paces and bounds of the runner, and of the planes that it keeps open."""

from pydantic import BaseModel

from perdure.app.sections.setting import setting


class RunnerSettings(BaseModel):
    """Leases, polls, stops and how much is driven side by side."""

    lease_s: float = setting(
        15.0, "how long a process holds an effect without renewing, in seconds", gt=0
    )
    poll_s: float = setting(20.0, "the runner's slow look at the store, in seconds", gt=0)
    grace_s: float = setting(
        5.0, "how long an effect that is to end may take for it, in seconds", ge=0
    )
    stop_s: float = setting(
        3.0, "how long effects under way may take to end at a stop, in seconds", ge=0
    )
    runs_at_once: int = setting(256, "runs of one plane driven side by side", ge=1)
    effects_at_once: int = setting(1_024, "effects of one plane performed side by side", ge=1)
    planes_open_max: int = setting(
        128, "runtimes open at once in this process; the longest unused makes room", ge=2
    )
    plane_idle_s: float = setting(
        120.0, "how long a runtime stays open after its last use, in seconds", gt=0
    )
