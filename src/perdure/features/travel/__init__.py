"""Time travel: forks, replays, differences and bookmarks of runs, and runs carried to another instance."""

from typing import Final

from perdure.features.travel.routes import ACTIONS, router
from perdure.registry.feature import Feature

FEATURE: Final = Feature(name="travel", routers=(router,), actions=ACTIONS)
