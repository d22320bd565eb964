"""Flows drawn in the visual editor, run as programs."""

from typing import Final

from perdure.features.flows.compaction import COMMANDS
from perdure.features.flows.effects import answer_user, emit_event
from perdure.features.flows.listeners import LISTENER_KIND
from perdure.features.flows.model import FLOW_KIND
from perdure.features.flows.program import flow_program
from perdure.features.flows.routes import ACTIONS, drawings, router, workflows
from perdure.registry.effects import EffectKind
from perdure.registry.feature import Feature

FEATURE: Final = Feature(
    name="flows",
    effects={
        "emit_event": EffectKind(emit_event, timeout_s=30.0),
        "answer_user": EffectKind(answer_user, timeout_s=10.0),
    },
    programs={FLOW_KIND: flow_program, LISTENER_KIND: flow_program},
    routers=(router, drawings, workflows),
    actions=ACTIONS,
    commands=COMMANDS,
)
