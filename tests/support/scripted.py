"""A program that plays a script, for tests that want to say each move themselves."""

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from perdure.kernel.model import Advance, Answered, Arrived, Due, Event, Ok, Told
from perdure.kernel.program import Moment, Move, View
from perdure.kernel.values import Json

Scene = Move | Sequence[Move] | Callable[[View, Event, Moment], Move]


class ScriptedProgram:
    """Plays for each thing that it sees the move that its script has for that.

    The script's words are `begin` (the first look), `more` (each next look of a fold), `told`,
    and the tag of whatever came to an end, alone or with how it ended: `a`, `a ok`, `a failed`,
    `a answered`, `a due`. The longer word is looked up first. A list is played move by move, its
    place kept in the cell `played/<word>`, so that the program stays pure. What the script does
    not name gets an empty move: still waiting.
    """

    def __init__(self, script: Mapping[str, Scene]) -> None:
        """Play `script`."""
        self._script = script

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Name the scripted move, with a mark in `played/begin` from the first one on."""
        word = self._word(cells, event)
        scene = self._script.get(word)
        if scene is None and word != "begin" and not isinstance(event, Advance | Told):
            word, _, _ = word.rpartition(" ")
            scene = self._script.get(word)
        move, played = self._played(scene, word, cells, event, moment)
        return replace(move, writes={**move.writes, **played})

    def _played(
        self, scene: Scene | None, word: str, cells: View, event: Event, moment: Moment
    ) -> tuple[Move, Mapping[str, Json]]:
        place = cells.get(f"played/{word}", 0)
        mark = {"played/begin": 1} if word == "begin" else {}
        if scene is None:
            return Move(), mark
        if isinstance(scene, Move):
            return scene, mark
        if callable(scene):
            return scene(cells, event, moment), mark
        move = scene[place] if place < len(scene) else Move()
        return move, {**mark, f"played/{word}": place + 1}

    def _word(self, cells: View, event: Event) -> str:
        match event:
            case Advance():
                return "more" if "played/begin" in cells else "begin"
            case Arrived(tag=tag, outcome=outcome):
                return f"{tag} ok" if isinstance(outcome, Ok) else f"{tag} failed"
            case Answered(tag=tag):
                return f"{tag} answered"
            case Due(tag=tag):
                return f"{tag} due"
            case Told():
                return "told"
            case _:
                raise AssertionError(f"a program never sees {event!r}")
