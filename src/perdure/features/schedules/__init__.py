"""Schedules: runs whose children are occurrences of a flow, planned by cron, interval or a time."""

from typing import Final

from perdure.features.schedules.kept import check_kept
from perdure.features.schedules.program import schedule_program
from perdure.features.schedules.routes import ACTIONS, router
from perdure.features.schedules.words import COMMANDS
from perdure.features.schedules.wrapper import flow_of
from perdure.registry.feature import Feature
from perdure.services.schedules import SCHEDULE

FEATURE: Final = Feature(
    name="schedules",
    programs={SCHEDULE: schedule_program},
    commands=COMMANDS,
    drawings={SCHEDULE: flow_of},
    checks={SCHEDULE: check_kept},
    routers=(router,),
    actions=ACTIONS,
)
