"""The gateway's side of a sandbox: gives the order to a keeper, takes what it reports, ends it in time.

Every piece of code has a keeper and a sandbox of its own, so that nothing of one is left for the next.
Whoever stops waiting ends both.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from perdure.features.code.bounds import CodeBounds
from perdure.features.code.sandbox.ways import Landlock, Missing, Wasm, Way
from perdure.kernel.values import Json
from perdure.runtimes.children import asked
from perdure.runtimes.turns import Turns

HERE: Final = Path(__file__).parent
KEEPER: Final = HERE / "keeper.py"
INSIDE: Final = HERE / "inside.py"
LATE_S: Final = 10.0  # beyond its own bound, after which a keeper is taken to be stuck
REPORT_BYTES_MAX: Final = 64 * 1024  # beside the answer and what was printed
PRINTED_MAX: Final = 10_000  # letters of what was printed that are told
NONE: Final = "code runs in a sandbox alone, and there is none"
_BOUND: Final = {
    "cpu": "it took more than {cpu_s} s of a processor",
    "time": "it took longer than {time_s:g} s",
    "memory": "it took more than {memory_bytes} bytes of memory, or had itself killed",
    "output": "it gave or printed more than {output_bytes} bytes",
}


class Code(NamedTuple):
    """What is to be run: a function of a source, or an expression where no function is named."""

    source: str
    function: str | None
    input: Json


class Answer(NamedTuple):
    """The code came to an end of its own: with an output, or with an error and the line it was in."""

    output: Json
    error: str | None
    line: int | None
    execution: dict[str, Json]
    printed: str


class Refusal(NamedTuple):
    """The code did not run, or was ended: `sandbox_unavailable`, `limit_reached`, `code_died`."""

    code: str
    detail: str
    printed: str = ""


class Sandbox:
    """Runs code in sandboxes, so many at once; the others wait by turns. Making one starts nothing."""

    def __init__(self, bounds: CodeBounds, ways: Sequence[Way]) -> None:
        """Keep every piece of code within `bounds`, in the first of `ways` that there is here."""
        self.bounds = bounds
        self._ways = ways
        self._chosen: Way | None = None
        self._turns = Turns(bounds.at_once)

    @property
    def way(self) -> str | None:
        """How sandboxes are closed here; nobody knows before the first piece of code."""
        return None if self._chosen is None else self._chosen.name

    @property
    def expected(self) -> str | None:
        """The way that will be taken, as far as that can be known before anything runs."""
        return next((way.name for way in self._ways if way.there()), None)

    async def run(self, code: Code, who: str = "") -> Answer | Refusal:
        """Run one piece of code of `who`, in their turn. Cancelled, it leaves no process behind."""
        if len(orjson.dumps(code._asdict())) > self.bounds.input_bytes:
            return _over("the code and its input have more than {input_bytes} bytes", self.bounds)
        whys = []
        async with self._turns.one(who):
            for way in (self._chosen,) if self._chosen else self._ways:
                try:
                    said = await self._kept(self._order(code, way, await way.ready()))
                    ran = self._read(*said)
                except Missing as missing:
                    whys.append(f"{way.name}: {missing}")
                else:
                    self._chosen = way
                    return ran
        return Refusal("sandbox_unavailable", f"{NONE}: {'; '.join(whys)}")

    def close(self) -> None:
        """Take away what sandboxes stand on. A later call would make it anew."""
        for way in self._ways:
            way.close()

    def _order(self, code: Code, way: Way, ready: dict[str, Json]) -> bytes:
        bounds = self.bounds
        told = {
            "cpu_s": bounds.cpu_s, "time_s": bounds.time_s, "memory_bytes": bounds.memory_bytes,
            "output_bytes": bounds.output_bytes, "files_open": bounds.files_open,
        }  # fmt: skip
        order = {
            "way": way.name, "inside": INSIDE.read_text(), "bounds": told, "code": code._asdict(), **ready,
        }  # fmt: skip
        return orjson.dumps(order)

    async def _kept(self, order: bytes) -> tuple[bytes, bool]:
        """What the keeper of one sandbox says, and whether it had to be ended."""
        most = 12 * self.bounds.output_bytes + REPORT_BYTES_MAX  # a byte may be told as `\\u00xx`
        heard = await asked([str(KEEPER)], order, time_s=self.bounds.time_s + LATE_S, said_bytes_max=most)  # fmt: skip
        return heard.said, heard.status is None

    def _read(self, said: bytes, stuck: bool) -> Answer | Refusal:
        if stuck:
            return _over(_BOUND["time"], self.bounds)
        line, _, answer = said.partition(b"\n")
        try:
            report = json.loads(line)
            ended, printed = report["ended"], report.get("printed", "")[:PRINTED_MAX]
        except (ValueError, KeyError):
            return Refusal("code_died", "it ended without a word")
        if ended == "refused":
            raise Missing(report["detail"])
        if ended in _BOUND:
            return _over(_BOUND[ended], self.bounds, printed)
        if ended != "exited" or not answer:
            return Refusal("code_died", _death(report, printed), printed)
        return _answer(answer, printed, report)


def _death(report: dict[str, Json], printed: str) -> str:
    last = printed.strip().rpartition("\n")[2][:200]
    how = f"code {report['code']}" if report["ended"] == "exited" else "a signal"
    return f"it ended the interpreter with {how}" + (f": {last}" if last else "")


def _answer(written: bytes, printed: str, report: dict[str, Json]) -> Answer | Refusal:
    """What the code says in its last line, whoever wrote it: only its shape is believed."""
    try:
        told = json.loads(written.rpartition(b"\n")[2])
        told["execution"]["memory_rss_mb"] = told["execution"]["memory_rss_mb"] or report["rss_mb"]
        execution = {name: float(told["execution"][name]) for name in EXECUTION}
        if told["ok"] is True:
            return Answer(told["output"], None, None, execution, printed)
        line = told["line"]
        error = (
            str(told["error"]).encode(errors="replace").decode()
        )  # halves of surrogate pairs are no JSON
        return Answer(None, error, line if isinstance(line, int) else None, execution, printed)
    except (ValueError, KeyError, TypeError, RecursionError):
        return Refusal("code_died", "what it answered cannot be read", printed)


EXECUTION: Final = (
    "duration_ms", "cpu_time_ms", "cpu_percent", "memory_rss_mb", "memory_rss_delta_mb",
)  # fmt: skip


def _over(why: str, bounds: CodeBounds, printed: str = "") -> Refusal:
    facts = {name: getattr(bounds, name) for name in CodeBounds.__slots__}
    return Refusal("limit_reached", why.format(**facts), printed)


def sandbox_of(bounds: CodeBounds, folder: Path) -> Sandbox:
    """A sandbox of the first way that the host has; what is made for it to last lies in `folder`."""
    return Sandbox(bounds, (Landlock(), Wasm(folder)))
