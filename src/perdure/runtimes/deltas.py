"""Pieces of answers that are still coming, for readers that ask; they may be lost without harm."""

from collections.abc import Callable
from typing import Final, NamedTuple

from perdure.ids import RunId, StepId
from perdure.registry.effects import Delta

TEXT_BYTES_MAX: Final = 256 * 1024  # kept of one call for readers that join late


class RunDelta(NamedTuple):
    """A piece of one attempt of one effect of one run."""

    run_id: RunId
    step_id: StepId
    attempt: int
    delta: Delta


Reader = Callable[[RunDelta], None]


class _Call:
    """What has come so far of one attempt."""

    __slots__ = ("attempt", "kept", "lineage", "step_id", "texts")

    def __init__(self, lineage: tuple[RunId, ...], step_id: StepId, attempt: int) -> None:
        self.lineage, self.step_id, self.attempt = lineage, step_id, attempt
        self.texts: dict[str, list[str]] = {}
        self.kept = 0


class Deltas:
    """The deltas of one plane. A reader of a run hears of the run and of all its descendants."""

    def __init__(self) -> None:
        """Begin with nothing under way."""
        self._calls: dict[StepId, _Call] = {}
        self._readers: dict[RunId, list[Reader]] = {}

    def publish(
        self, lineage: tuple[RunId, ...], step_id: StepId, attempt: int, delta: Delta
    ) -> None:
        """Tell the readers of every run in `lineage` (the run first, its root last); a new attempt starts anew."""
        call = self._calls.get(step_id)
        if call is None or call.attempt != attempt:
            call = self._calls[step_id] = _Call(lineage, step_id, attempt)
        if call.kept < TEXT_BYTES_MAX:
            call.texts.setdefault(delta.kind, []).append(delta.text)
            call.kept += len(delta.text)
        told = RunDelta(lineage[0], step_id, attempt, delta)
        for run_id in dict.fromkeys(lineage):
            for reader in tuple(self._readers.get(run_id, ())):
                reader(told)

    def done(self, step_id: StepId) -> None:
        """Forget a call: its outcome is the truth now."""
        self._calls.pop(step_id, None)

    def listen(self, run_id: RunId, reader: Reader) -> Callable[[], None]:
        """Tell `reader` what has come so far, then what comes, until the returned function is called."""
        for call in self._calls.values():
            if run_id in call.lineage:
                for kind, texts in call.texts.items():
                    so_far = Delta(0, kind, "".join(texts))
                    reader(RunDelta(call.lineage[0], call.step_id, call.attempt, so_far))
        self._readers.setdefault(run_id, []).append(reader)

        def stop() -> None:
            readers = self._readers.get(run_id, [])
            if reader in readers:
                readers.remove(reader)
            if not readers:
                self._readers.pop(run_id, None)

        return stop
