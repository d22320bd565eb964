"""The feature `deeds`: runs that do a plan of deeds to a counter, started over HTTP.

The program keeps its place in three cells: the word it stands at, how many of the word's times
are done, and how many of what it asked for have not come back.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from msgspec.structs import replace

from perdure.bundles.bundle import Bundle
from perdure.kernel.model import (
    Advance,
    Answered,
    Arrived,
    Due,
    Effect,
    EffectClass,
    Event,
    Failed,
    Ok,
    Outcome,
    ProgramRef,
    Reason,
    Start,
    Told,
    Unknown,
    Wait,
)
from perdure.kernel.program import Done, Moment, Move, Program, View
from perdure.kernel.values import Json
from perdure.registry.effects import EffectContext, EffectHandler, EffectKind, HttpFailed
from tests.journeys.words import DEEDS, Word, child_label, name_of, word_of

KIND: Final = "deeds"
AT, TURN, LEFT = "var/at", "var/turn", "var/left"
HANG_S: Final = 0.4  # how long a deed waits for a counter that never answers
REF: Final = ProgramRef(KIND, None, KIND)


class Deeds:
    """Does one word of its plan after the other, whatever comes of them, and tells what came."""

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Do the next word, or wait for the rest of this one."""
        if isinstance(event, Told):
            return Move()
        if isinstance(event, Advance):
            return self._do(cells, {}, moment)
        writes: dict[str, Json] = {f"out/{_tag(event)}": _told(event)}
        left = cells[LEFT] - 1
        if left:
            return Move(writes={**writes, LEFT: left})
        word = word_of(cells["in/plan"][cells.get(AT, 0)])
        turn = cells.get(TURN, 0) + 1
        if turn < word.times:
            return self._do(cells, {**writes, TURN: turn}, moment)
        return self._do(cells, {**writes, AT: cells.get(AT, 0) + 1, TURN: 0}, moment)

    def _do(self, cells: View, writes: dict[str, Any], moment: Moment) -> Move:
        at: int = writes[AT] if AT in writes else cells.get(AT, 0)
        turn: int = writes[TURN] if TURN in writes else cells.get(TURN, 0)
        plan: Sequence[Any] = cells["in/plan"]
        if at == len(plan):
            return Move(writes=writes, end=Done({"label": cells["in/label"], "words": at}))
        word = word_of(plan[at])
        path = (f"word-{at}",)
        if word.kind == "grow":
            grown = {f"var/grown{at}": "x" * int(word.argument), AT: at + 1}
            return Move(writes={**writes, **grown}, path=path, more=True)
        move = asked(word, str(cells["in/label"]), at, turn, moment)
        return replace(move, writes={**writes, LEFT: max(1, len(move.effects))}, path=path)


def asked(word: Word, label: str, at: int, turn: int, moment: Moment) -> Move:
    """What a word asks for."""
    tag, node_id = f"{at}.{turn}", f"word-{at}"
    match word.kind:
        case "wait":
            question = Wait(
                tag, node_id, Reason.USER, "ask_user", key=f"{node_id}:{turn}", prompt="?"
            )
            return Move(waits=(question,))
        case "event":
            address = f"evt:session:{moment.run.session_id}:{word.argument}"
            wait = Wait(tag, node_id, Reason.EVENT, "wait_event", key=address, match=address)
            return Move(waits=(wait,))
        case "timer":
            until = moment.at + timedelta(seconds=float(word.argument))
            return Move(waits=(Wait(tag, node_id, Reason.UNTIL, "wait_until", until=until),))
        case "child":
            cells = cells_of(child_label(label, at), word.of)
            return Move(starts=(Start(tag, node_id, REF, "test:deeds", cells),))
        case "parallel":
            parts = [
                effect_of(word_of(part), label, at, part_turn)
                for part_turn, part in enumerate(word.of)
            ]
            return Move(effects=tuple(parts))
        case _:
            return Move(effects=(effect_of(word, label, at, turn),))


def effect_of(word: Word, label: str, at: int, turn: int) -> Effect:
    """The effect of a word that has one."""
    tag, node_id = f"{at}.{turn}", f"word-{at}"
    if word.kind == "echo":
        payload = {"say": "x" * int(word.argument or 1)}
        return Effect("echo", payload, tag, node_id, EffectClass.IDEMPOTENT, result_key=tag)
    assert word.kind in DEEDS, word.kind
    payload = {"deed": name_of(label, at, turn), "options": word.options}
    timeout_s = HANG_S if "hang" in word.options else None
    return Effect(
        f"deed_{word.kind}", payload, tag, node_id, EffectClass(word.kind), tag, timeout_s
    )


def cells_of(label: str, plan: Sequence[Any]) -> dict[str, Json]:
    """The inputs of a run that does `plan`."""
    return {"in/label": label, "in/plan": list(plan)}


def _tag(event: Event) -> str:
    assert isinstance(event, Arrived | Answered | Due)
    return event.tag


def _told(event: Event) -> Json:
    match event:
        case Arrived(outcome=Failed(code=code)):
            return code
        case Arrived():
            return "ok"
        case Answered():
            return "answered"
        case _:
            return "due"


DEEDS_PROGRAM: Final[Program] = Deeds()


def make(_ref: ProgramRef, _bundle: Bundle | None) -> Program:
    """The one program of this kind."""
    return DEEDS_PROGRAM


def doing(counter_url: str) -> EffectHandler:
    """The handler of all deeds: it does them to the counter, under the effect's key."""

    async def deed(effect: Effect, context: EffectContext) -> Outcome:
        """Do one deed, and tell truly what is known of it."""
        url = f"{counter_url}/deeds/{effect.payload['deed']}?{effect.payload['options']}"
        try:
            reply = await context.http.send("POST", url, headers={"idempotency-key": context.key})
        except HttpFailed as failed:
            if failed.sent:
                return Unknown(str(failed))
            return Failed(failed.code, failed.detail, retryable=True)
        if reply.status != 200:
            return Failed("refused", f"the counter answered {reply.status}")
        return Ok({"deed": effect.payload["deed"]})

    return deed


def effects_on(counter_url: str) -> dict[str, EffectKind]:
    """The three kinds of deeds, done to one counter."""
    kind = EffectKind(doing(counter_url), timeout_s=20.0, attempts_max=10, backoff_s=0.02)
    return {f"deed_{word}": kind for word in sorted(DEEDS)}
