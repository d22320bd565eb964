"""Steps that do nothing: the smallest feature, to measure an installation and to learn from."""

from typing import Final

from perdure.features.echo.effects import echo
from perdure.features.echo.program import make
from perdure.registry.effects import EffectKind
from perdure.registry.feature import Feature

FEATURE: Final = Feature(name="echo", effects={"echo": EffectKind(echo)}, programs={"echo": make})
