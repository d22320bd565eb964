"""What the effects of flows do: events reach runs that wait for them; a word to a person is a record."""

from datetime import timedelta
from typing import Final

from perdure.clock import text_of
from perdure.features.flows.listeners import address_of
from perdure.features.flows.values import as_object, filled
from perdure.kernel.model import Effect, Ok, Outcome
from perdure.kernel.values import Json
from perdure.registry.effects import EffectContext
from perdure.stores.inbox import Emission

KEPT: Final = timedelta(days=7)  # an event that no run waits for yet
ANY_NAME: Final = "*"


async def emit_event(effect: Effect, context: EffectContext) -> Outcome:
    """Give an event to every run that waits at its address; a repeat gives nothing twice."""
    run, now = context.run, context.clock.now()
    payload = as_object(effect.payload)
    scope, name = payload["scope"], payload["name"]
    session = filled(payload.get("session_id")) or run.session_id
    addresses = tuple(address_of(run, scope, session, it) for it in dict.fromkeys((name, ANY_NAME)))
    event_id = filled(payload.get("event_id")) or _event_id(effect, context)
    envelope = {
        "event_id": event_id,
        "name": name,
        "scope": scope,
        "session_id": session,
        "payload": payload["payload"],
        "emitted_at": text_of(now),
        "emitter": {
            "run_id": run.id,
            "workflow_id": run.workflow_id,
            "node_id": effect.node_id,
        },
    }
    emission = Emission(event_id, addresses, envelope, keep_until=text_of(now + KEPT))
    delivered = await context.plane.inbox.emit(emission, at=text_of(now))
    return Ok(_told(addresses[0], name, scope, list(delivered.run_ids)))


def _event_id(effect: Effect, context: EffectContext) -> str:
    """`<run>:<node>:<n>`, where n is the effect's own place in the ledger: a repeat has the same."""
    place = context.key.removeprefix(f"{context.run.id}:").removesuffix(":0").replace(":", ".")
    return f"{context.run.id}:{effect.node_id}:{place}"


def _told(key: str, name: str, scope: str, reached: list[str]) -> Json:
    return {
        "wait_key": key,
        "name": name,
        "scope": scope,
        "delivered": len(reached),
        "delivered_to": reached,
        "resumed": [{"run_id": run_id, "status": "running"} for run_id in reached],
    }


async def answer_user(effect: Effect, context: EffectContext) -> Outcome:
    """Say something to whoever watches: the record is the message."""
    payload = as_object(effect.payload)
    return Ok({"message": payload.get("message", ""), "level": payload.get("level", "message")})
